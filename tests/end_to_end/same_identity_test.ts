/**
 * A session goes on only as the same user, uid, gid and trust: each way in which a file may change
 * them, for each service and transport. The table of docs/configuration.md says the same.
 */
import { assertEquals } from "@std/assert";
import { Backend, echo } from "../support/backend.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Program, type RunningServer } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

/** Of two consoles, one has sent a request and is the control plane's, the other has not. */
const SERVICES = ["console", "idle console", "forward", "exec"] as const;
type Service = typeof SERVICES[number];

/** The entry of a user, or of a key with the user that it belongs to (null: a trusted key). */
interface State {
  readonly users: readonly { name: string; uid: number; more?: string }[];
  readonly key: string | null;
}

interface Change {
  readonly what: string;
  readonly before: State;
  /** What stands in the file in between, for an instant. */
  readonly between?: State;
  readonly after: State;
  /** The uid that connects to the Unix sockets, and its groups. */
  readonly uid: number;
  readonly groups?: readonly number[];
  /** The user that the holder of the key acts as (`connect --user`). */
  readonly actsAs?: string;
  /** How the sessions of each transport end: the reason of `revoke`; null where they go on. */
  readonly unix: string | null;
  readonly tcp: string | null;
}

const CHANGES: readonly Change[] = [
  {
    what: "key given to another user",
    before: { users: [{ name: "ann", uid: 610 }, { name: "abe", uid: 611 }], key: "ann" },
    after: { users: [{ name: "ann", uid: 610 }, { name: "abe", uid: 611 }], key: "abe" },
    ...{ uid: 610, unix: null, tcp: "identity-changed" },
  },
  {
    what: "trusted key given to a user",
    before: { users: [{ name: "bea", uid: 612 }], key: null },
    after: { users: [{ name: "bea", uid: 612 }], key: "bea" },
    ...{ uid: 0, unix: null, tcp: "identity-changed" },
  },
  {
    what: "key of a user made trusted",
    before: { users: [{ name: "cyd", uid: 613 }], key: "cyd" },
    after: { users: [{ name: "cyd", uid: 613 }], key: null },
    ...{ uid: 613, unix: null, tcp: "identity-changed" },
  },
  {
    what: "user renamed",
    before: { users: [{ name: "dan", uid: 614 }], key: "dan" },
    after: { users: [{ name: "daniel", uid: 614 }], key: "daniel" },
    ...{ uid: 614, unix: "identity-changed", tcp: "identity-changed" },
  },
  {
    what: "two users swapped",
    before: { users: [{ name: "eve", uid: 615 }, { name: "eli", uid: 616 }], key: "eve" },
    after: { users: [{ name: "eve", uid: 616 }, { name: "eli", uid: 615 }], key: "eve" },
    ...{ uid: 615, unix: "identity-changed", tcp: "identity-changed" },
  },
  {
    what: "uid set",
    before: { users: [{ name: "fay", uid: 617 }], key: "fay" },
    after: { users: [{ name: "fay", uid: 618 }], key: "fay" },
    ...{ uid: 617, unix: "unknown-uid", tcp: "identity-changed" },
  },
  {
    what: "gid set",
    before: { users: [{ name: "gus", uid: 619, more: ", gid: 619" }], key: "gus" },
    after: { users: [{ name: "gus", uid: 619, more: ", gid: 620" }], key: "gus" },
    ...{ uid: 619, unix: null, tcp: "identity-changed" },
  },
  {
    what: "user removed, and added again with another uid",
    before: { users: [{ name: "mia", uid: 630 }, { name: "mo", uid: 631 }], key: "mia" },
    between: { users: [{ name: "mo", uid: 631 }], key: "mo" },
    after: { users: [{ name: "mia", uid: 632 }, { name: "mo", uid: 631 }], key: "mia" },
    ...{ uid: 630, unix: "unknown-uid", tcp: "identity-changed" },
  },
  {
    what: "uid given to a user of another name, whose key it becomes",
    before: { users: [{ name: "hal", uid: 621 }, { name: "hew", uid: 622 }], key: "hal" },
    after: { users: [{ name: "hew", uid: 621 }], key: "hew" },
    ...{ uid: 621, unix: "identity-changed", tcp: "identity-changed" },
  },
  {
    what: "entry made for a member of a group",
    before: { users: [{ name: "ida", uid: 623 }], key: "ida" },
    after: { users: [{ name: "ida", uid: 623 }, { name: "ivo", uid: 624 }], key: "ida" },
    ...{ uid: 624, groups: [2000], unix: "identity-changed", tcp: null },
  },
  {
    what: "entry of a member of a group removed",
    before: { users: [{ name: "jan", uid: 625 }, { name: "joe", uid: 626 }], key: "joe" },
    after: { users: [{ name: "joe", uid: 626 }], key: "joe" },
    ...{ uid: 625, groups: [2000], unix: "identity-changed", tcp: null },
  },
  {
    what: "uid set of the user that a trusted client acts as",
    before: { users: [{ name: "kim", uid: 627 }], key: null },
    after: { users: [{ name: "kim", uid: 628 }], key: null },
    ...{ uid: 627, actsAs: "kim", unix: "unknown-uid", tcp: "identity-changed" },
  },
  {
    what: "entry moved and written differently, admin set",
    before: { users: [{ name: "lea", uid: 629 }], key: "lea" },
    after: { users: [{ name: "lea", uid: 629, more: ", admin: true" }], key: "lea" },
    ...{ uid: 629, unix: null, tcp: null },
  },
];

/** The groups of the configuration: every member of gid 2000 gets in. */
const GROUPS = "groups: [{ name: ops, gid: 2000, local_ipc_access: true }]\n";

class Matrix implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly server: RunningServer,
    readonly backend: Backend,
    readonly ports: ReadonlyMap<string, number>,
    readonly keys: readonly Uint8Array[],
  ) {}

  static async open(): Promise<Matrix> {
    const program = await Program.install();
    const ports = new Map(["console", "forward", "exec"].map((name) => [name, freePort()]));
    const backend = new Backend(program.path("backend.sock"), echo);
    const keys: Uint8Array[] = [];
    for (const index of CHANGES.keys()) {
      keys.push(readKey(await writeKey(program, `${index}.key`)));
    }
    const states = CHANGES.map(({ before }) => before);
    const config = await program.write("config.yaml", Matrix.#text(program, ports, states));
    const server = await program.serve(["--config", config]);
    await server.events("listen", 2 * ports.size);
    return new Matrix(program, server, backend, ports, keys);
  }

  static #text(program: Program, ports: ReadonlyMap<string, number>, states: State[]): string {
    const services: Record<string, string> = {
      console: "console",
      forward: `{ forward: "unix:${program.path("backend.sock")}" }`,
      exec: "{ exec: [/bin/cat] }",
    };
    const keys = states.map(({ key }, index) =>
      `{ file: ${program.path(`${index}.key`)}${key === null ? "" : `, user: ${key}`} }`
    ).join(", ");
    const listeners = Array.from(
      ports,
      ([name, port]) =>
        `  - { unix: ${program.path(`${name}.sock`)}, service: ${services[name]} }\n` +
        `  - { tcp: "127.0.0.1:${port}", keys: [${keys}], service: ${services[name]} }\n`,
    );
    const users = states.flatMap(({ users }) => users).map(({ name, uid, more = "" }) =>
      `  - { name: ${name}, uid: ${uid}, local_ipc_access: true${more} }\n`
    );
    return `listeners:\n${listeners.join("")}users:\n${users.join("")}${GROUPS}` +
      "limits: { grace: 0s }\n";
  }

  /** Makes all changes at once. */
  async change(): Promise<void> {
    const between = CHANGES.map((change) => change.between ?? change.before);
    const after = CHANGES.map((change) => change.after);
    for (const states of [between, after]) {
      await this.program.write("config.yaml", Matrix.#text(this.program, this.ports, states));
    }
  }

  async connect(
    index: number,
    transport: "unix" | "tcp",
    service: Service,
  ): Promise<TestClient> {
    const { uid, groups, actsAs } = CHANGES[index]!;
    const name = service === "idle console" ? "console" : service;
    return transport === "unix"
      ? TestClient.unix(this.program.path(`${name}.sock`), uid, groups)
      : await TestClient.tcp(this.ports.get(name)!, this.keys[index]!, actsAs ?? null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.backend[Symbol.dispose]();
    await this.program.remove();
  }
}

/** Asks a session for something. @returns Its answer, or null where it has ended. */
async function ask(client: TestClient, service: Service): Promise<string | null> {
  const isConsole = service !== "forward" && service !== "exec";
  const request = '{"jsonrpc":"2.0","id":7,"method":"users.get","params":{"name":"lea"}}';
  client.send(isConsole ? `${request}\n` : "still here\n");
  const line = await client.line();
  return line === null ? null : isConsole ? line.slice(0, 24) : line;
}

function expected(service: Service): string {
  return service.endsWith("console") ? '{"jsonrpc":"2.0","result' : "still here";
}

Deno.test("docs/configuration.md has the changes and outcomes of this test", async () => {
  const document = await Deno.readTextFile(new URL("../../docs/configuration.md", import.meta.url));
  const [, section] = document.split("### The same user, or no session\n");
  const rows = section!.split("\n\n").find((part) => part.startsWith("| change |"))!.split("\n");
  const outcome = (reason: string | null) => reason === null ? "goes on" : `\`${reason}\``;
  assertEquals(
    rows.slice(2),
    CHANGES.map(({ what, unix, tcp }) => `| ${what} | ${outcome(unix)} | ${outcome(tcp)} |`),
  );
});

Deno.test({
  name: "a session goes on as the same user, or not at all (needs root)",
  ignore: !isRoot,
  async fn(test) {
    await using matrix = await Matrix.open();
    const { server } = matrix;
    using clients = new DisposableStack();
    const opened = [];
    for (const [index, change] of CHANGES.entries()) {
      for (const transport of ["unix", "tcp"] as const) {
        for (const service of SERVICES) {
          const client = clients.use(await matrix.connect(index, transport, service));
          if (service.endsWith("console")) await client.line();
          if (service !== "idle console") {
            assertEquals(await ask(client, service), expected(service));
          }
          const allowed = await server.events("allow", opened.length + 1);
          opened.push({ change, transport, service, client, id: allowed.at(-1)!.session });
        }
      }
    }
    await matrix.change();
    // The first request after the change is answered by the new file. All sessions are reviewed
    // before that, so no event is awaited.
    for (const { change, transport, service, client, id } of opened) {
      const reason = change[transport];
      const name = `${change.what}: ${service} over ${transport}: ${reason ?? "goes on"}`;
      await test.step(name, async () => {
        if (reason === null) {
          assertEquals(await ask(client, service), expected(service));
          return;
        }
        assertEquals(await ask(client, service), null);
        const revoked = await server.event("revoke", ({ session }) => session === id);
        assertEquals(revoked.reason, reason);
        const closed = await server.event("close", ({ session }) => session === id);
        assertEquals(closed.reason, "revoked");
      });
    }
    const ending = opened.filter(({ change, transport }) => change[transport] !== null).length;
    assertEquals(server.of("revoke").length, ending);
  },
});

Deno.test({
  name: "a session of a removed listener rests on what the others say of its key (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const [first, second, third] = [freePort(), freePort(), freePort()];
    const files = [await writeKey(program, "a.key"), await writeKey(program, "b.key")];
    // The key is the same one under another name.
    await Deno.copyFile(files[0]!, program.path("copy.key"));
    await Deno.chmod(program.path("copy.key"), 0o600);
    const users = "users: [{ name: ann, uid: 610, local_ipc_access: true }]\n";
    const listener = (port: number, keys: string) =>
      `{ tcp: "127.0.0.1:${port}", keys: [${keys}] }`;
    const [a, b] = files.map((file) => `{ file: ${file} }`);
    const text = (...listeners: string[]) => `listeners: [${listeners.join(", ")}]\n${users}`;
    const config = await program.write("config.yaml", text(listener(first, `${a}, ${b}`)));
    await using server = await program.serve(["--config", config]);
    using moved = await TestClient.tcp(first, readKey(files[0]!), null);
    using kept = await TestClient.tcp(first, readKey(files[1]!), null);
    const expected = '{"jsonrpc":"2.0","result';
    for (const client of [moved, kept]) await client.line();
    await program.write("config.yaml", text(listener(second, b!)));
    await server.event("stop", ({ listener }) => listener === `tcp:127.0.0.1:${first}`);
    for (const client of [moved, kept]) {
      client.send('{"jsonrpc":"2.0","id":7,"method":"users.get","params":{"name":"ann"}}\n');
      assertEquals((await client.line())?.slice(0, 24), expected);
    }
    const ann = `{ file: ${program.path("copy.key")}, user: ann }`;
    await program.write("config.yaml", text(listener(second, b!), listener(third, ann)));
    assertEquals(await moved.line(), null);
    assertEquals((await server.event("revoke")).reason, "identity-changed");
    kept.send('{"jsonrpc":"2.0","id":8,"method":"users.get","params":{"name":"ann"}}\n');
    assertEquals((await kept.line())?.slice(0, 24), expected);
    assertEquals(server.of("revoke").length, 1);
  },
});
