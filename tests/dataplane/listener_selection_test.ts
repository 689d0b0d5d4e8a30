import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { Failure } from "../../lib/errors.ts";
import { ListenerSelection } from "../../lib/dataplane/listener_selection.ts";

const config = (text: string) => parseConfig(text, "c.yaml", { overflowUid: 65534 });
const NONE = config("users: []");
const lines = (...paths: string[]) =>
  config(
    `listeners:\n${
      paths.map((path) => `  - { unix: ${path}, service: { exec: [/x] } }\n`).join("")
    }`,
  );
const PASSED = { kind: "unix", path: "/run/passed.sock" } as const;
const ECHO = { kind: "exec", argv: ["/bin/echo"], runAs: "server" } as const;

interface Flags {
  readonly unix?: string;
  readonly service?: typeof ECHO;
  readonly open?: readonly (typeof PASSED)[];
}

/** Selects listeners for one configuration after another. @returns `path service` of each. */
function selection({ unix, service, open = [PASSED] }: Flags = {}) {
  const flags = { unix: unix ?? null, tcp: null, keys: [], service: service ?? null };
  const followed = new ListenerSelection(flags, { uid: 0, variables: {} }, open);
  return (text: ReturnType<typeof config>) => {
    followed.select(text);
    return followed.current.map((one) =>
      `${one.kind === "unix" ? one.path : one.host} ${one.service.kind}`
    );
  };
}

Deno.test("a passed socket is a console as long as no configuration has named an address", () => {
  const follow = selection();
  assertEquals(follow(NONE), ["/run/passed.sock console"]);
  assertEquals(follow(config("groups: []")), ["/run/passed.sock console"]);
  assertEquals(follow(lines("/run/other.sock")), ["/run/other.sock exec"]);
  // A listener that the file has replaced does not come back when the file drops it.
  assertEquals(follow(NONE), []);
  assertEquals(follow(lines("/run/passed.sock")), ["/run/passed.sock exec"]);
});

Deno.test("a passed socket whose listener is removed from the file is not served", () => {
  for (const service of [undefined, ECHO]) {
    const follow = selection(service && { service });
    assertEquals(follow(lines("/run/passed.sock")), ["/run/passed.sock exec"]);
    assertEquals(follow(NONE), []);
    assertEquals(follow(lines("/run//passed.sock")), ["/run//passed.sock exec"]);
  }
});

Deno.test("an address of the command line that the file had is not served without the file", () => {
  const follow = selection({ unix: "/run/flag.sock", open: [] });
  assertEquals(follow(NONE), ["/run/flag.sock console"]);
  assertEquals(follow(lines("/run/flag.sock")), ["/run/flag.sock exec"]);
  assertEquals(follow(NONE), []);
  assertEquals(follow(lines("/run/flag.sock")), ["/run/flag.sock exec"]);
});

Deno.test("a passed socket needs a listener in the file, or a service of the command line", () => {
  assertThrows(() => selection()(lines("/run/other.sock")), Failure, "unix:/run/passed.sock");
  assertThrows(() => selection({ unix: "/run/flag.sock" })(NONE), Failure, "unix:/run/passed.sock");
  assertEquals(selection({ service: ECHO })(lines("/run/other.sock")), [
    "/run/other.sock exec",
    "/run/passed.sock exec",
  ]);
  assertEquals(selection({ unix: "/run/passed.sock" })(NONE), ["/run/passed.sock console"]);
  assertEquals(selection({ unix: "/run/flag.sock" })(lines("/run/passed.sock")), [
    "/run/flag.sock console",
    "/run/passed.sock exec",
  ]);
});

Deno.test("a selection that fails changes nothing", () => {
  const follow = selection({ service: ECHO, open: [] });
  assertEquals(follow(lines("/run/a.sock")), ["/run/a.sock exec"]);
  assertThrows(() => follow(lines("/run/a.sock", "/run/b.sock")), Failure, "which one is meant?");
  assertEquals(follow(lines("/run/c.sock")), ["/run/c.sock exec"]);
});

Deno.test("a reload without listeners never falls back to the default one", () => {
  for (const flags of [{ open: [] }, { service: ECHO, open: [] }]) {
    const follow = selection(flags);
    assertEquals(follow(lines("/run/a.sock")), ["/run/a.sock exec"]);
    const failure = assertThrows(() => follow(NONE), Failure) as Failure;
    assertStringIncludes(failure.message, "does not fall back to the default one");
    assertEquals([failure.exit, failure.hint?.includes("restart the server")], [78, true]);
    // Nothing has changed.
    assertThrows(() => follow(NONE), Failure);
    assertEquals(follow(lines("/run/a.sock")), ["/run/a.sock exec"]);
  }
});

Deno.test("a server that was started on the default listener keeps it", () => {
  const follow = selection({ open: [] });
  assertEquals(follow(NONE), ["/run/ipcauth/ipc.sock console"]);
  assertEquals(follow(config("groups: []")), ["/run/ipcauth/ipc.sock console"]);
  assertEquals(follow(lines("/run/a.sock")), ["/run/a.sock exec"]);
  assertThrows(() => follow(NONE), Failure, "does not fall back");
});

Deno.test("--unix alone keeps the listeners of the file at a reload", () => {
  const flags = { unix: true, tcp: null, keys: [], service: null } as const;
  const followed = new ListenerSelection(flags, { uid: 0, variables: {} }, []);
  followed.select(lines("/run/a.sock"));
  assertThrows(() => followed.select(NONE), Failure, "does not fall back");
  assertEquals(followed.current.map((one) => one.kind === "unix" && one.path), ["/run/a.sock"]);
});

Deno.test("a key of the command line whose entry is removed is no key, and not a trusted one", () => {
  const tcp = { host: "127.0.0.1", port: 1 };
  const flags = { unix: null, tcp, keys: ["/k"], service: null };
  const followed = new ListenerSelection(flags as never, { uid: 0, variables: {} }, []);
  const users = "users: [{ name: bob, uid: 579 }]\n";
  const entry = config(
    `listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: /k, user: bob }] }]\n${users}`,
  );
  const other = config(
    `listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: /other, user: bob }] }]\n${users}`,
  );
  const keys = (text: ReturnType<typeof config>) => {
    followed.select(text);
    return followed.current.flatMap((one) => one.kind === "tcp" ? one.keys : [])
      .map(({ file, user }) => [file, user]);
  };
  // Without an entry, a key of the command line is trusted.
  assertEquals(keys(NONE), [["/k", null]]);
  assertEquals(keys(entry), [["/k", "bob"]]);
  assertEquals(keys(other), []);
  assertEquals(keys(entry), [["/k", "bob"]]);
});
