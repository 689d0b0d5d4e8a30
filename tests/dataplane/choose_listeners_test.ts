import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { chooseListeners } from "../../lib/dataplane/choose_listeners.ts";
import { Failure } from "../../lib/errors.ts";
import { exists } from "../support/temporary_directory.ts";

const CONFIG = parseConfig(
  `listeners:
  - { unix: /run/a.sock, mode: "0600" }
  - { unix: /run/b.sock }
`,
  "c.yaml",
  { overflowUid: 65534 },
);
const NONE = parseConfig("users: []", "c.yaml", { overflowUid: 65534 });
const root = (variables: Record<string, string> = {}) => ({ uid: 0, variables });

function paths(unix: string | true | null, config = CONFIG, environment = root()) {
  const flags = { unix, tcp: null, keys: [], service: null };
  return chooseListeners(flags, config, environment).map((listener) =>
    listener.kind === "unix" ? `${listener.path} ${listener.mode.toString(8)}` : listener.kind
  );
}

Deno.test("chooseListeners() takes the flag, then the environment, the file, the default", () => {
  const variables = root({ IPCAUTH_PATH: "/run/variables.sock" });
  assertEquals(paths("/run/flag.sock", CONFIG, variables), ["/run/flag.sock 666"]);
  assertEquals(paths(true, CONFIG, variables), ["/run/variables.sock 666"]);
  assertEquals(paths(null, CONFIG, variables), ["/run/variables.sock 666"]);
  assertEquals(paths(true), ["/run/a.sock 600", "/run/b.sock 666"]);
  assertEquals(paths(null, NONE), ["/run/ipcauth/ipc.sock 666"]);
  const user = { uid: 1000, variables: { XDG_RUNTIME_DIR: "/run/user/1000" } };
  assertEquals(paths(true, NONE, user), ["/run/user/1000/ipcauth/ipc.sock 666"]);
});

Deno.test("chooseListeners() applies the options of the file to a path of the flag", () => {
  assertEquals(paths("/run/a.sock"), ["/run/a.sock 600"]);
});

Deno.test("chooseListeners() refuses a user without a runtime directory and without a path", () => {
  assertThrows(() => paths(true, NONE, { uid: 1000, variables: {} }), Failure, "XDG_RUNTIME_DIR");
});

const KEYED = parseConfig(
  `listeners:
  - tcp: 127.0.0.1:7000
    keys: [{ file: /k/bob.key, user: bob }]
  - { unix: /run/a.sock }
users: [{ name: bob, uid: 579 }]
`,
  "c.yaml",
  { overflowUid: 65534 },
);

interface TcpFlags {
  readonly unix?: string | true;
  readonly tcp?: { host: string; port: number } | true;
  readonly keys?: (string | null)[];
}

/** TCP listeners as `host:port key=user …`, and others by their path. */
function endpoints(
  { unix, tcp, keys = [] }: TcpFlags,
  variables: Record<string, string> = {},
  config = KEYED,
) {
  const flags = { unix: unix ?? null, tcp: tcp ?? null, keys, service: null };
  return chooseListeners(flags, config, root(variables)).map((listener) =>
    listener.kind === "unix" ? listener.path : [
      `${listener.host}:${listener.port}`,
      ...listener.keys.map((key) => `${key.file}=${key.user}`),
    ]
      .join(" ")
  );
}

Deno.test("chooseListeners() takes the TCP address of flag, environment, file, default", () => {
  const address = { host: "::1", port: 1 };
  assertEquals(endpoints({ tcp: address, keys: ["/k/x.key"] }), ["::1:1 /k/x.key=null"]);
  const variables = { IPCAUTH_ADDR: "10.0.0.1", IPCAUTH_PORT: "99" };
  assertEquals(endpoints({ tcp: true, keys: ["/k/x.key"] }, variables), [
    "10.0.0.1:99 /k/x.key=null",
  ]);
  assertEquals(endpoints({ tcp: true }), ["127.0.0.1:7000 /k/bob.key=bob"]);
  assertEquals(endpoints({ keys: ["/k/x.key"] }, {}, NONE), ["127.0.0.1:4569 /k/x.key=null"]);
  assertEquals(endpoints({}), ["127.0.0.1:7000 /k/bob.key=bob", "/run/a.sock"]);
});

Deno.test("chooseListeners() takes the keys of flag, environment, file", () => {
  assertEquals(endpoints({ tcp: true }, { IPCAUTH_KEY_FILE: "/k/variables.key" }), [
    "127.0.0.1:7000 /k/variables.key=null",
  ]);
  // The user of a key is that of the file, wherever the key is named.
  assertEquals(endpoints({ keys: ["/k/bob.key", "/k/x.key", "/k/x.key"] }), [
    "127.0.0.1:7000 /k/bob.key=bob /k/x.key=null",
  ]);
});

Deno.test("chooseListeners() prefers a socket path of the environment to an address", () => {
  const variables = { IPCAUTH_PATH: "/run/variables.sock", IPCAUTH_ADDR: "10.0.0.1" };
  assertEquals(endpoints({}, variables), ["/run/variables.sock"]);
});

Deno.test("chooseListeners() opens no TCP listener without a key", {
  // The last of the default paths does not depend on the environment.
  ignore: await exists("/etc/ipcauth/ipc.key"),
}, () => {
  const nowhere = { uid: 1000, variables: { HOME: "/nowhere" } };
  const flags = { unix: null, tcp: true as const, keys: [], service: null };
  assertThrows(() => chooseListeners(flags, NONE, nowhere), Failure, "There is no key");
});
