/**
 * Which configuration, sockets and keys are used where none is named: a file in root's home
 * directory never is, and a relative path of a variable never is.
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  addressFromEnvironment,
  clientSockets,
  configPlaces,
  type Environment,
  historyDirectory,
  keyPaths,
  parseAddress,
  serverSocket,
  VARIABLES,
} from "../../lib/config/default_paths.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

type Variables = Environment["variables"];

const HOST_CONFIG = "/etc/ipcauth/config.yaml";
const HOST_KEY = "/etc/ipcauth/ipc.key";
const HOST_SOCKET = "/run/ipcauth/ipc.sock";

const USER: Variables = { HOME: "/h", XDG_CONFIG_HOME: "/c", XDG_RUNTIME_DIR: "/r" };

for (
  const [what, uid, variables, home] of [
    ["root", 0, USER, null],
    ["uid 1", 1, USER, "/c"],
    ["a user", 578, USER, "/c"],
    ["a user without a variable", 578, {}, null],
    ["a user with a home directory", 578, { HOME: "/h" }, "/h/.config"],
    [
      "a user with a relative XDG_CONFIG_HOME",
      578,
      { HOME: "/h", XDG_CONFIG_HOME: "c/" },
      "/h/.config",
    ],
    [
      "a user with an empty XDG_CONFIG_HOME",
      578,
      { HOME: "/h", XDG_CONFIG_HOME: "" },
      "/h/.config",
    ],
    ["a user with a relative home directory", 578, { HOME: "h/" }, null],
    ["a user with an empty home directory", 578, { HOME: "" }, null],
  ] as const
) {
  Deno.test(`the configuration and the key of ${what} are those of the user or the host`, () => {
    const own = (name: string) => home === null ? [] : [`${home}/ipcauth/${name}`];
    assertEquals(configPlaces(null, { uid, variables }), {
      paths: [...own("config.yaml"), HOST_CONFIG],
      explicit: false,
    });
    assertEquals(keyPaths({ uid, variables }), [...own("ipc.key"), HOST_KEY]);
  });
}

Deno.test("configPlaces() has one place alone where a flag or a variable names it", () => {
  const places = (flag: string | null, variables: Variables) =>
    configPlaces(flag, { uid: 578, variables: { ...USER, ...variables } });
  assertEquals(places("/f", { IPCAUTH_CONFIG: "/v" }), { paths: ["/f"], explicit: true });
  assertEquals(places("f", {}), { paths: ["f"], explicit: true });
  assertEquals(places(null, { IPCAUTH_CONFIG: "/v" }), { paths: ["/v"], explicit: true });
  assertEquals(places(null, { IPCAUTH_CONFIG: "" }).explicit, false);
});

for (
  const [what, uid, variables, own] of [
    ["root", 0, USER, HOST_SOCKET],
    ["uid 1", 1, USER, "/r/ipcauth/ipc.sock"],
    ["a user", 578, USER, "/r/ipcauth/ipc.sock"],
    ["a user without a variable", 578, {}, null],
    ["a user with a relative XDG_RUNTIME_DIR", 578, { XDG_RUNTIME_DIR: "r/" }, null],
    ["a user with an empty XDG_RUNTIME_DIR", 578, { XDG_RUNTIME_DIR: "" }, null],
  ] as const
) {
  Deno.test(`the socket of ${what} is ${own ?? "none"}, and a client tries it first`, () => {
    if (own !== null) assertEquals(serverSocket({ uid, variables }), own);
    else {
      const failure = assertThrows(() => serverSocket({ uid, variables }), Failure) as Failure;
      assertEquals(failure.exit, ExitCode.usage);
    }
    const sockets = new Set([...own === null ? [] : [own], HOST_SOCKET]);
    assertEquals(clientSockets({ uid, variables }), [...sockets]);
  });
}

Deno.test("the program reads these variables of the environment, and no others", () => {
  const names = "HOME IPCAUTH_ADDR IPCAUTH_CONFIG IPCAUTH_KEY_FILE IPCAUTH_PATH IPCAUTH_PORT " +
    "LISTEN_FDS LISTEN_PID NOTIFY_SOCKET NO_COLOR TERM WATCHDOG_PID WATCHDOG_USEC " +
    "XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_STATE_HOME";
  assertEquals(VARIABLES.join(" "), names);
});

Deno.test("historyDirectory() is below a variable that is an absolute path, or nowhere", () => {
  const of = (variables: Variables) => historyDirectory({ uid: 0, variables });
  assertEquals(of({ XDG_STATE_HOME: "/s", HOME: "/h" }), "/s/ipcauth");
  assertEquals(of({ XDG_STATE_HOME: "s/", HOME: "/h" }), "/h/.local/state/ipcauth");
  assertEquals(of({ HOME: "/h" }), "/h/.local/state/ipcauth");
  assertEquals(of({ HOME: "h/" }), null);
  assertEquals(of({}), null);
});

Deno.test("parseAddress() adds the default of what is left out, and nothing else", () => {
  for (
    const [text, expected] of [
      ["h", ["h", 4569]],
      ["h:5", ["h", 5]],
      [":5", ["127.0.0.1", 5]],
      ["[::1]", ["::1", 4569]],
      ["[::1]:5", ["::1", 5]],
      ["127.0.0.2", ["127.0.0.2", 4569]],
      ["", null],
      [":", null],
      [":x", null],
      ["h:", null],
      ["h:0", null],
      [":0", null],
      ["h]", null],
      ["[::1]x", null],
      ["x[::1]", null],
      ["::1", null],
      ["h:5:6", null],
    ] as const
  ) {
    const address = parseAddress(text);
    assertEquals(address && [address.host, address.port], expected, text);
  }
  assertEquals([parseAddress("h:0", true)?.port, parseAddress(":0", true)?.port], [0, 0]);
});

Deno.test("addressFromEnvironment() takes a host, a port or both, and no two ports", () => {
  const of = (addr?: string, port?: string) =>
    addressFromEnvironment({
      uid: 0,
      variables: { IPCAUTH_ADDR: addr, IPCAUTH_PORT: port },
    });
  for (
    const [addr, port, expected] of [
      [undefined, undefined, null],
      ["", "", null],
      ["h", undefined, ["h", 4569]],
      ["h", "", ["h", 4569]],
      ["h:5", undefined, ["h", 5]],
      ["h", "5", ["h", 5]],
      [undefined, "5", ["127.0.0.1", 5]],
      ["", "5", ["127.0.0.1", 5]],
      ["::1", undefined, ["::1", 4569]],
      ["::1", "5", ["::1", 5]],
      ["[::1]", "5", ["::1", 5]],
      ["[::1]:5", undefined, ["::1", 5]],
    ] as const
  ) {
    const address = of(addr, port);
    assertEquals(address && [address.host, address.port], expected, `${addr} ${port}`);
  }
  for (const [addr, port] of [["h:5", "5"], ["h", "x"], ["h", "0"], ["h", "65536"]] as const) {
    const failure = assertThrows(() => of(addr, port), Failure) as Failure;
    assertEquals(failure.exit, ExitCode.usage);
  }
});
