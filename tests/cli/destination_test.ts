/** Which server a client takes from flags, environment and configuration. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DEFAULT } from "../../lib/cli/command_line.ts";
import { findDestination } from "../../lib/cli/destination.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { PLAIN } from "../../lib/text/view.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

type To = Parameters<typeof findDestination>[0]["to"];

const ANY: To = { kind: "unix", path: null };

/** Finds it. @param console As that of `findDestination`. @returns It, and what was printed. */
async function find(
  { config = null, variables = {}, to = ANY, console = false }: {
    readonly config?: string | null;
    readonly variables?: Readonly<Record<string, string>>;
    readonly to?: To;
    readonly console?: boolean;
  },
) {
  let errors = "";
  const destination = await findDestination(
    { to },
    {
      environment: { uid: effectiveUid(), variables },
      config,
      color: false,
      view: () => PLAIN,
      out: () => {},
      err: (text) => errors += text,
    },
    console,
  );
  return { destination, warnings: errors.match(/warning: .*/g) ?? [] };
}

/** A file with a mistake, whose console is its second listener on TCP. */
const BAD = `listeners:
  - { tcp: "127.0.0.1:1", keys: [{ file: /forward.key }], service: { forward: "unix:/x" } }
  - { tcp: "127.0.0.1:2", keys: [{ file: /console.key }], service: console }
typo: 1
`;

Deno.test("a check of a server's health finds its console on TCP, also in a file with a mistake", async () => {
  using place = new TemporaryDirectory();
  for (const [text, count] of [[BAD, 1], [BAD.replace("typo: 1\n", ""), 0]] as const) {
    const config = place.write("config.yaml", text);
    const { destination, warnings } = await find({ config, console: true });
    assertEquals(destination, {
      kind: "tcp",
      address: { host: "127.0.0.1", port: 2 },
      key: "/console.key",
      unread: null,
    });
    assertEquals(warnings.length, count, warnings.join("\n"));
    if (count > 0) assertStringIncludes(warnings[0]!, `has a mistake: ${config}:4:1: typo: there `);
  }
});

Deno.test("a mistake is told once, whatever names the server beside the file", async () => {
  using place = new TemporaryDirectory();
  const config = place.write("config.yaml", BAD);
  const [key, runtime] = [place.at("a.key"), { XDG_RUNTIME_DIR: place.path }];
  const env = { IPCAUTH_ADDR: "127.0.0.1:3", IPCAUTH_KEY_FILE: key, ...runtime };
  const tcp = (address: string | typeof DEFAULT): To => ({ kind: "tcp", address, key });
  for (
    const [more, console, kind, port, isCertain] of [
      [{ variables: env }, false, "tcp", 3, true],
      [{ variables: env }, true, "tcp", 3, true],
      [{ to: tcp(DEFAULT) }, false, "tcp", 4569, false],
      [{ to: tcp(DEFAULT) }, true, "tcp", 2, true],
      [{ to: { kind: "unix", path: DEFAULT }, variables: runtime }, true, "unix", null, false],
      [{ variables: runtime }, false, "unix", null, false],
    ] as const
  ) {
    const { destination, warnings } = await find({ config, console, ...more });
    const found = destination.kind === "tcp" ? destination.address.port : null;
    assertEquals([destination.kind, found], [kind, port]);
    assertEquals(destination.unread, isCertain ? null : `ipcauth config check ${config}`);
    assertEquals(warnings.length, 1, warnings.join("\n"));
    const use = console ? "has a mistake" : "is not used";
    assertStringIncludes(warnings[0]!, `the configuration ${use}: `);
  }
  // What names all of it reads no file.
  assertEquals((await find({ config, to: tcp("127.0.0.1:5"), console: true })).warnings, []);
});

Deno.test("a client does without a file that is not there, and without no other", async () => {
  using place = new TemporaryDirectory();
  const variables = { XDG_CONFIG_HOME: place.path, XDG_RUNTIME_DIR: place.path };
  const environment = { uid: 579, variables };
  const look = () =>
    findDestination({ to: ANY }, {
      environment,
      config: null,
      color: false,
      view: () => PLAIN,
      out: () => {},
      err: () => {},
    });
  for (const make of [() => {}, () => place.write("ipcauth", "")]) {
    make();
    await look();
  }
  Deno.removeSync(place.at("ipcauth"));
  Deno.symlinkSync("ipcauth", place.at("ipcauth"));
  const { message, exit } = await assertRejects(look, Failure);
  assertEquals(exit, 78, message);
  assertStringIncludes(message, `Cannot read the configuration ${place.at("ipcauth/config.yaml")}`);
});
