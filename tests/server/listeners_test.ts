import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { chooseListeners } from "../../lib/server/listeners.ts";
import { Failure } from "../../lib/errors.ts";

const CONFIG = parseConfig(
  `listeners:
  - { unix: /run/a.sock, mode: "0600" }
  - { unix: /run/b.sock }
`,
  "c.yaml",
  { overflowUid: 65534, groupId: () => null },
);
const NONE = parseConfig("", "c.yaml", { overflowUid: 65534, groupId: () => null });
const root = (env: Record<string, string> = {}) => ({ uid: 0, env });

function paths(unix: string | true | null, config = CONFIG, surroundings = root()) {
  const flags = { unix, tcp: null, keys: [], service: null };
  return chooseListeners(flags, config, surroundings).map((listener) =>
    listener.kind === "unix" ? `${listener.path} ${listener.mode.toString(8)}` : listener.kind
  );
}

Deno.test("chooseListeners() believes the flag, then the environment, then the file, then itself", () => {
  const env = root({ IPCAUTH_PATH: "/run/env.sock" });
  assertEquals(paths("/run/flag.sock", CONFIG, env), ["/run/flag.sock 666"]);
  assertEquals(paths(true, CONFIG, env), ["/run/env.sock 666"]);
  assertEquals(paths(null, CONFIG, env), ["/run/env.sock 666"]);
  assertEquals(paths(true), ["/run/a.sock 600", "/run/b.sock 666"]);
  assertEquals(paths(null, NONE), ["/run/ipcauth/ipc.sock 666"]);
  const user = { uid: 1000, env: { XDG_RUNTIME_DIR: "/run/user/1000" } };
  assertEquals(paths(true, NONE, user), ["/run/user/1000/ipcauth/ipc.sock 666"]);
});

Deno.test("chooseListeners() gives a path of the flag what the file says of that path", () => {
  assertEquals(paths("/run/a.sock"), ["/run/a.sock 600"]);
});

Deno.test("chooseListeners() refuses a user without a runtime directory and without a path", () => {
  assertThrows(() => paths(true, NONE, { uid: 1000, env: {} }), Failure, "XDG_RUNTIME_DIR");
});
