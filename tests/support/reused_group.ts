/**
 * In a pid namespace of its own: a program's group ends, another program gets the same number, and
 * then the first group is killed. Prints whether a process of the second group is alive.
 */
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { makeBlocking, pipe } from "../../lib/libc/pipe.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { receive, unixSocketPair } from "../../lib/libc/sockets.ts";
import { type Child, reapOrphans, spawn } from "../../lib/libc/spawn.ts";

/** Starts a program that ends at once, and leaves a process of its group that ends at a line. */
function start(): { child: Child; connection: Descriptor } {
  const [connection, far] = unixSocketPair();
  const { reader, writer } = pipe();
  makeBlocking(far);
  const argv = ["/bin/sh", "-c", "exec 3<&0; (read line <&3) & exit 0"];
  const options = { path: "/bin/sh", argv, environment: [], connection: far, errors: writer };
  const child = spawn(options);
  for (const one of [far, reader, writer]) one.close();
  waitFor(child.handle, "input", 5_000);
  child.reap();
  return { child, connection };
}

const first = start();
// Its process reads end-of-file and ends.
first.connection.close();
while (first.child.group.hasMembers()) {
  // This process is the first of its namespace, and inherits what the program has left.
  reapOrphans(() => false);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

let second = first;
do {
  // The number that the next process gets (proc(5)). A thread of the runtime may take it.
  Deno.writeTextFileSync("/proc/sys/kernel/ns_last_pid", String(first.child.pid - 1));
  if (second !== first) second.child.group.kill();
  second = start();
} while (second.child.pid !== first.child.pid);
console.log("same number");

first.child.group.kill();
// A process that was killed would have closed its end.
const isAlive = second.child.group.hasMembers() &&
  receive(second.connection, new Uint8Array(1)) === -1;
console.log(isAlive ? "alive" : "killed");
second.child.group.kill();
