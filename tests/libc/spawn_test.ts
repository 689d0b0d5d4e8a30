import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { cString } from "../../lib/libc/memory.ts";
import { pipe } from "../../lib/libc/pipe.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { receive, send, unixSocketPair } from "../../lib/libc/sockets.ts";
import { type Child, type ExitStatus, Signal, signalName, spawn } from "../../lib/libc/spawn.ts";

function start(...argv: string[]) {
  const [ours, theirs] = unixSocketPair();
  const errors = pipe();
  try {
    const environment = [cString("ONLY=this")];
    const connection = theirs;
    const child = spawn({ path: argv[0]!, argv, environment, connection, errors: errors.writer });
    return { child, connection: ours };
  } finally {
    theirs.close();
    errors.writer.close();
    errors.reader.close();
  }
}

function ended(child: Child): ExitStatus | null {
  waitFor(child.handle, "input", 5_000);
  const ending = child.reap();
  child.handle.close();
  return ending;
}

Deno.test("spawn() gives a program the connection, the environment and nothing else", () => {
  const { child, connection } = start("/usr/bin/env");
  assertEquals(ended(child), { status: 0 });
  const buffer = new Uint8Array(4096);
  const text = new TextDecoder().decode(buffer.subarray(0, receive(connection, buffer)));
  assertEquals(text, "ONLY=this\n");
  connection.close();
});

Deno.test("spawn() says how a program ended", () => {
  const seven = start("/bin/sh", "-c", "exit 7");
  assertEquals(ended(seven.child), { status: 7 });
  const killed = start("/bin/sh", "-c", "kill -USR1 $$");
  assertEquals(ended(killed.child), { signal: 10 });
  assertEquals(signalName(10), "SIGUSR1");
  assertEquals(signalName(64), "signal 64");
  for (const { connection } of [seven, killed]) connection.close();
});

Deno.test("spawn() throws for a program that is not there, and leaves nothing open", () => {
  const error = assertThrows(() => start("/nowhere/at/all"), SystemError);
  assertEquals(error.errno, Errno.ENOENT);
});

Deno.test("a child is signalled together with what it has started", () => {
  const { child, connection } = start("/bin/sh", "-c", "sleep 1000 & echo $!; wait");
  const buffer = new Uint8Array(64);
  let count = -1;
  while ((count = receive(connection, buffer)) < 0) waitFor(connection, "input", 5_000);
  const pid = new TextDecoder().decode(buffer.subarray(0, count)).trim();
  child.signal(Signal.SIGTERM);
  assertEquals(ended(child), { signal: 15 });
  // The sleeper held the other end: that it is closed says that the sleeper is gone.
  while ((count = receive(connection, buffer)) < 0) waitFor(connection, "input", 5_000);
  assertEquals(count, 0, `process ${pid} holds the connection`);
  connection.close();
});

Deno.test("a child that was reaped is signalled no more: its number may be another's", () => {
  const { child, connection } = start("/bin/true");
  ended(child);
  assertEquals(child.reap(), null);
  child.signal(Signal.SIGKILL);
  child.kill();
  connection.close();
});

Deno.test("a child that is destroyed is gone at once", () => {
  const { child, connection } = start("/bin/cat");
  child.kill();
  assertEquals(send(connection, new Uint8Array(1)), -2);
  assert(child.reap() === null);
  child.handle.close();
  connection.close();
});
