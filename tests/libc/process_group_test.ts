import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { makeBlocking, pipe } from "../../lib/libc/pipe.ts";
import { waitFor } from "../../lib/libc/poll.ts";
import { receive, send, unixSocketPair } from "../../lib/libc/sockets.ts";
import { type Child, reapOrphans, spawn } from "../../lib/libc/spawn.ts";
import { isRoot } from "../support/processes.ts";

/** Starts a shell script with one end of a socket pair as its input and output. */
function start(script: string): { child: Child; connection: Descriptor } {
  const [connection, far] = unixSocketPair();
  const { reader, writer } = pipe();
  makeBlocking(far);
  try {
    const argv = ["/bin/sh", "-c", script];
    const options = { path: "/bin/sh", argv, environment: [], connection: far, errors: writer };
    return { child: spawn(options), connection };
  } finally {
    for (const one of [far, reader, writer]) one.close();
  }
}

/** Waits for a program's end, and reaps it. */
function reap(child: Child): void {
  waitFor(child.handle, "input", 5_000);
  child.reap();
  child.handle.close();
}

/** What comes until end-of-file, which says that no process holds the other end. */
function readAll(connection: Descriptor): string {
  const buffer = new Uint8Array(256);
  let text = "";
  for (;;) {
    if (!waitFor(connection, "input", 5_000)) throw new Error(`no end-of-file after "${text}"`);
    const count = receive(connection, buffer);
    if (count === 0) break;
    if (count > 0) text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  connection.close();
  return text;
}

Deno.test("kill() kills what a program has left, also where it ignores SIGTERM", () => {
  const { child, connection } = start("trap '' TERM; sleep 1000 & exit 0");
  reap(child);
  assertEquals(child.group.hasMembers(), true);
  child.group.kill();
  assertEquals(readAll(connection), "");
});

Deno.test("close() leaves the processes of the group alone", () => {
  const { child, connection } = start("read line; echo got $line");
  child.group.close();
  // A signal would have come before the answer.
  const writer = connection.duplicate();
  send(writer, new TextEncoder().encode("it\n"));
  writer.close();
  assertEquals(readAll(connection), "got it\n");
  reap(child);
});

Deno.test("reapOrphans() leaves the programs to their owners, and reaps the others", () => {
  const own = start("exit 7");
  waitFor(own.child.handle, "input", 5_000);
  reapOrphans((pid) => pid === own.child.pid);
  assertEquals(own.child.reap(), { status: 7 });
  const other = start("exit 7");
  waitFor(other.child.handle, "input", 5_000);
  reapOrphans((pid) => pid === own.child.pid);
  // Its status is lost: it was reaped.
  assertEquals(other.child.reap(), null);
  for (const { child, connection } of [own, other]) {
    child.handle.close();
    child.group.close();
    connection.close();
  }
});

Deno.test(
  "kill() never reaches a later group of the same number (needs root)",
  { ignore: !isRoot },
  async () => {
    const script = fromFileUrl(new URL("../support/reused_group.ts", import.meta.url));
    const { stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["--pid", "--fork", "--kill-child", "--mount-proc"],
        ...[Deno.execPath(), "run", "--quiet", "--allow-all", script],
      ],
    }).output();
    const decoder = new TextDecoder();
    assertEquals([decoder.decode(stdout), decoder.decode(stderr)], ["same number\nalive\n", ""]);
  },
);
