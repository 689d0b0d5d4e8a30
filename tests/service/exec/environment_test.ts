import { assertEquals } from "@std/assert";
import { inherited, peerVariables, userVariables } from "../../../lib/service/exec/environment.ts";

const encoder = new TextEncoder();

function names(block: string, becomes = false): string[] {
  return inherited(encoder.encode(block), becomes)
    .map((variable) => new TextDecoder().decode(variable));
}

Deno.test("inherited() passes variables on byte for byte", () => {
  const block = Uint8Array.of(65, 61, 0xff, 0xfe, 10, 0, 66, 61, 0);
  assertEquals(inherited(block, false), [
    Uint8Array.of(65, 61, 0xff, 0xfe, 10, 0),
    Uint8Array.of(66, 61, 0),
  ]);
});

for (
  const name of [
    "PROTO",
    "IPCREMOTEEUID",
    "IPCREMOTEEGID",
    "IPCREMOTEPATH",
    "IPCLOCALPATH",
    "IPCCONNNUM",
    "TCPREMOTEIP",
    "TCP6REMOTEIP",
    "TCPLOCALPORT",
    "UNIXREMOTEPID",
    "UNIXREMOTEEUID",
    "SSLREMOTEDN",
    "REMOTE_USER",
    "REMOTE_ADDR",
    "IPCAUTH_USER",
    "IPCAUTH_PID",
    "IPCAUTH_KEY_ID",
    "IPCAUTH_GROUPS",
    "IPCAUTH_WHATEVER_COMES_LATER",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_PID",
  ]
) {
  Deno.test(`inherited() leaves ${name} out, which a program would trust`, () => {
    assertEquals(names(`${name}=0\0OTHER=1\0`), ["OTHER=1\0"]);
  });
}

Deno.test("inherited() leaves out entries without a name or a value", () => {
  assertEquals(names("nothing\0=empty\0A=\0"), ["A=\0"]);
  assertEquals(names(""), []);
});

Deno.test("inherited() keeps variables whose names only resemble those of a peer", () => {
  const kept = ["PROTOCOL=x\0", "IPCAUTH_CONFIG=/x\0", "MY_REMOTE_USER=x\0", "PATH=/bin\0"];
  assertEquals(names(kept.join("")), kept);
});

Deno.test("inherited() leaves the server's home and name out for another user", () => {
  const block =
    "HOME=/root\0USER=root\0LOGNAME=root\0SHELL=/bin/bash\0XDG_RUNTIME_DIR=/r\0PATH=/bin\0";
  assertEquals(names(block, true), ["PATH=/bin\0"]);
  assertEquals(names(block, false).length, 6);
});

Deno.test("inherited() restores what a launcher has hidden, and drops its own settings", () => {
  const launched =
    "IPCAUTH_KEEP=HOME DENO_DIR NODE_OPTIONS\0DENO_DIR=/some/cache\0HOME=/proc/ipcauth\0" +
    "DENO_NO_UPDATE_CHECK=1\0PATH=/bin\0";
  assertEquals(names(launched), ["PATH=/bin\0"]);
  const hidden = "IPCAUTH_KEEP_NODE_OPTIONS=a=b\0IPCAUTH_KEEP_DENO_DIR=\0IPCAUTH_KEEP_HOME=/root\0";
  assertEquals(names(hidden + launched), [
    "NODE_OPTIONS=a=b\0",
    "DENO_DIR=\0",
    "HOME=/root\0",
    "PATH=/bin\0",
  ]);
  assertEquals(names(hidden + launched, true), [
    "NODE_OPTIONS=a=b\0",
    "DENO_DIR=\0",
    "PATH=/bin\0",
  ]);
});

Deno.test("inherited() restores no variable without a launcher", () => {
  const [cache, hidden, home] = ["DENO_DIR=/c\0", "IPCAUTH_KEEP_NODE_OPTIONS=a\0", "HOME=/root\0"];
  assertEquals(names(cache + hidden + home), [cache, home]);
});

Deno.test("peerVariables() sets unknown values to the empty string, and never to 0", () => {
  const variables = peerVariables({
    user: "bob",
    uid: 579,
    gid: null,
    pid: null,
    keyId: null,
    remote: "",
    local: "/run/a.sock",
    connections: 2,
  });
  assertEquals(variables, [
    "PROTO=IPC",
    "IPCREMOTEEUID=579",
    "IPCREMOTEEGID=",
    "IPCREMOTEPATH=",
    "IPCLOCALPATH=/run/a.sock",
    "IPCCONNNUM=2",
    "IPCAUTH_USER=bob",
    "IPCAUTH_PID=",
    "IPCAUTH_KEY_ID=",
  ]);
});

Deno.test("userVariables() sets HOME to / for a uid without an account", () => {
  assertEquals(userVariables(null), ["HOME=/"]);
  const account = { name: "bob", uid: 579, gid: 579, home: "", shell: "" };
  assertEquals(userVariables(account), ["HOME=/", "USER=bob", "LOGNAME=bob", "SHELL=/bin/sh"]);
});
