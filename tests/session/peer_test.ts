/** The program of a peer, as the log names it: looked up once for many connections. */
import { assert, assertEquals } from "@std/assert";
import { Errno } from "../../lib/libc/errno.ts";
import { unixSocketPair } from "../../lib/libc/sockets.ts";
import { ExecutableLookup, UNKNOWN } from "../../lib/session/peer.ts";
import { runtimeProgram } from "../../lib/session/runtime_program.ts";
import { FailingCall } from "../support/failing_call.ts";
import { tcpPair } from "../support/relay_harness.ts";

/** Greater than every pid of Linux (`PID_MAX_LIMIT`, linux/threads.h). */
const NO_PID = 2 ** 22;

/** Runs a test with a clock that it sets, in milliseconds, and a connection of this process. */
async function withClock(
  run: (of: (pid: number, uid?: number) => unknown, set: (now: number) => void) => unknown,
): Promise<void> {
  const [near, far] = unixSocketPair();
  const { now } = performance;
  let time = 1_000;
  performance.now = () => time;
  try {
    const lookup = new ExecutableLookup();
    const of = (pid: number, uid = 579) => lookup.of(near, { pid, uid, gid: uid });
    await run(of, (now) => time = now);
  } finally {
    performance.now = now;
    near.close();
    far.close();
  }
}

/** What a command says. Deno grants a test no look into `/proc`. */
function outputOf(command: string, ...args: string[]): string {
  return new TextDecoder().decode(new Deno.Command(command, { args }).outputSync().stdout);
}

Deno.test("a peer has its executable, and a runtime the program that it runs", async () => {
  const child = new Deno.Command("sleep", { args: ["60"], stdout: "null" }).spawn();
  await withClock((of) => {
    const sleep = outputOf("readlink", "-n", `/proc/${child.pid}/exe`);
    assertEquals([of(child.pid), of(NO_PID)], [{ exe: sleep }, { exe: null }]);
    const line = outputOf("cat", `/proc/${Deno.pid}/cmdline`);
    const program = runtimeProgram(Deno.execPath(), line);
    assertEquals(of(Deno.pid), { exe: Deno.execPath(), program });
  }).finally(() => child.kill());
  await child.status;
  // Of a connection without a process nothing is known, whatever runs with its pid.
  const [near, far] = tcpPair();
  const found = new ExecutableLookup().of(near, { pid: Deno.pid, uid: 0, gid: 0 });
  assertEquals(found, UNKNOWN);
  near.close();
  far.close();
});

Deno.test("a runtime whose command line cannot be read runs an unknown program", () =>
  withClock((of) => {
    using _open = new FailingCall("open", Errno.EMFILE, (path) => path.endsWith("/cmdline"));
    assertEquals(of(Deno.pid), { exe: Deno.execPath(), program: null });
  }));

Deno.test("a program is looked up again after 10 ms, and for another user", () =>
  withClock((of, set) => {
    const first = of(Deno.pid);
    set(1_009.9);
    assert(of(Deno.pid) === first);
    assert(of(Deno.pid, 580) !== first);
    const second = of(Deno.pid);
    assert(second !== first);
    set(1_019.9);
    assert(of(Deno.pid) !== second);
  }));

Deno.test("the programs of 256 pids are kept", () =>
  withClock((of) => {
    const first = of(NO_PID);
    for (let count = 1; count < 256; count++) of(NO_PID + count);
    assert(of(NO_PID) === first);
    of(NO_PID + 256);
    assert(of(NO_PID) !== first);
  }));
