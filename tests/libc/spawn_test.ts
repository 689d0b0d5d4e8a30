import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { cString } from "../../lib/libc/memory.ts";
import { pipe } from "../../lib/libc/pipe.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { receive, send, unixSocketPair } from "../../lib/libc/sockets.ts";
import { type Child, type ExitStatus, Signal, signalName, spawn } from "../../lib/libc/spawn.ts";

function start(...argv: string[]) {
  const [near, far] = unixSocketPair();
  const errors = pipe();
  try {
    const environment = [cString("ONLY=this")];
    const connection = far;
    const child = spawn({ path: argv[0]!, argv, environment, connection, errors: errors.writer });
    return { child, connection: near };
  } finally {
    far.close();
    errors.writer.close();
    errors.reader.close();
  }
}

function waitForExit(child: Child): ExitStatus | null {
  waitFor(child.handle, "input", 5_000);
  const status = child.reap();
  child.handle.close();
  return status;
}

Deno.test("spawn() passes the connection and the environment, and no other variable", () => {
  const { child, connection } = start("/usr/bin/env");
  assertEquals(waitForExit(child), { status: 0 });
  const buffer = new Uint8Array(4096);
  const text = new TextDecoder().decode(buffer.subarray(0, receive(connection, buffer)));
  assertEquals(text, "ONLY=this\n");
  connection.close();
});

Deno.test("reap() returns the exit status or the signal", () => {
  const seven = start("/bin/sh", "-c", "exit 7");
  assertEquals(waitForExit(seven.child), { status: 7 });
  const killed = start("/bin/sh", "-c", "kill -USR1 $$");
  assertEquals(waitForExit(killed.child), { signal: 10 });
  assertEquals(signalName(10), "SIGUSR1");
  assertEquals(signalName(64), "signal 64");
  for (const { connection } of [seven, killed]) connection.close();
});

Deno.test("spawn() throws for a missing program", () => {
  const error = assertThrows(() => start("/nowhere/at/all"), SystemError);
  assertEquals(error.errno, Errno.ENOENT);
});

Deno.test("signal() reaches the processes that the program has started", () => {
  const { child, connection } = start("/bin/sh", "-c", "sleep 1000 & echo $!; wait");
  const buffer = new Uint8Array(64);
  let count = -1;
  while ((count = receive(connection, buffer)) < 0) waitFor(connection, "input", 5_000);
  const pid = new TextDecoder().decode(buffer.subarray(0, count)).trim();
  child.signal(Signal.SIGTERM);
  assertEquals(waitForExit(child), { signal: 15 });
  // `sleep` held the other end of the connection, so end-of-file says that it has ended.
  while ((count = receive(connection, buffer)) < 0) waitFor(connection, "input", 5_000);
  assertEquals(count, 0, `process ${pid} holds the connection`);
  connection.close();
});

Deno.test("signal() and kill() do nothing after reap()", () => {
  const { child, connection } = start("/bin/true");
  waitForExit(child);
  assertEquals(child.reap(), null);
  child.signal(Signal.SIGKILL);
  child.kill();
  connection.close();
});

Deno.test("kill() returns when the program has ended", () => {
  const { child, connection } = start("/bin/cat");
  child.kill();
  assertEquals(send(connection, new Uint8Array(1)), -2);
  assert(child.reap() === null);
  child.handle.close();
  connection.close();
});
