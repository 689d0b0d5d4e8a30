/**
 * The signals of this process: `signal(7)`.
 *
 * @module
 */
import { check, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";
import { callThread } from "./thread_ids.ts";

// asm-generic/signal-defs.h
const SIG_DFL = 0n;
const SIG_IGN = 1n;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;

// asm/unistd_64.h on x86-64; asm-generic/unistd.h on arm64
const SYS_TGKILL = Deno.build.arch === "x86_64" ? 234n : 131n;

/** `sizeof(sigset_t)` of glibc (bits/types/__sigset_t.h), in bytes. */
const SIZEOF_SIGSET = 128;
/** `sizeof(struct sigaction)` of glibc, in bytes. It begins with the handler. */
const SIZEOF_SIGACTION = 152;

// asm/signal.h: the same on x86-64 and arm64
const NUMBERS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGTERM: 15,
  SIGXCPU: 24,
} as const;
const SIGCHLD = 17;
const SIGCONT = 18;

/**
 * The signals that end a process unless it does something about them, and that mean nothing to this
 * program: SIGUSR2, SIGALRM, SIGSTKFLT, SIGXFSZ (a write then says `EFBIG`), SIGVTALRM,
 * SIGPROF, SIGIO, SIGPWR and the real-time signals, as glibc numbers them.
 */
const MEANINGLESS = [
  ...[12, 14, 16, 25, 26, 27, 29, 30],
  ...Array.from({ length: 31 }, (_, index) => 34 + index),
];

/** The name of a signal that ends or reloads this program. */
export type SignalName = Exclude<keyof typeof NUMBERS, "SIGUSR1">;

/**
 * Makes a process that serves independent of how it was started: no signal is blocked in the
 * calling thread, and those that mean nothing are ignored, so that none ends the process before it
 * has removed its socket. SIGCHLD has its default action: the kernel keeps no status of a child
 * where it is ignored.
 */
export function prepareSignals(): void {
  const none = new Uint8Array(SIZEOF_SIGSET);
  const error = libc.pthread_sigmask(SIG_SETMASK, none, null);
  if (error !== 0) throw new SystemError("pthread_sigmask", error);
  libc.signal(SIGCHLD, SIG_DFL);
  for (const signal of MEANINGLESS) libc.signal(signal, SIG_IGN);
}

/**
 * Keeps the runtime from opening its debugger. At SIGUSR1 it would listen on 127.0.0.1:9229, where
 * every user of the machine could run code in this process. It catches that signal half a second
 * after the start, also where it was ignored, and what catches a signal first sets its action: so
 * it is caught here before, and then ignored.
 *
 * With the first listener the runtime catches SIGHUP and SIGINT, too, and ends the process. Where
 * they were ignored, they are again, but for those that are handled.
 *
 * @param handled Signals that the caller has listeners for, or will have.
 * @returns Gives SIGUSR1 the action that it had, for a program that this process becomes: the
 * default one where the runtime was so slow to start that it had caught the signal already.
 */
export function refuseDebugger(handled: readonly SignalName[]): () => void {
  const ignored = (["SIGHUP", "SIGINT", "SIGQUIT"] as const)
    .filter((signal) => !handled.includes(signal) && isIgnored(signal));
  const action = isIgnored("SIGUSR1") ? SIG_IGN : SIG_DFL;
  Deno.addSignalListener("SIGUSR1", () => {});
  libc.signal(NUMBERS.SIGUSR1, SIG_IGN);
  for (const signal of ignored) libc.signal(NUMBERS[signal], SIG_IGN);
  return () => void libc.signal(NUMBERS.SIGUSR1, action);
}

/**
 * Catches no signal any more: those that stop a server end the process, and SIGHUP is ignored, also
 * by the program that this process becomes, until that catches it.
 */
export function leaveSignals(): void {
  const { SIGHUP, SIGUSR1: _, ...stopping } = NUMBERS;
  for (const number of Object.values(stopping)) libc.signal(number, SIG_DFL);
  libc.signal(SIGHUP, SIG_IGN);
}

/** Sends SIGCONT to this process: it does nothing to one that runs. */
export function continueSelf(): void {
  check("kill", libc.kill(Deno.pid, SIGCONT));
}

/**
 * Keeps signals that have come, and that nothing has acted on, for the program that this process
 * becomes: it takes them when it has its own handlers ({@linkcode prepareSignals}), because
 * `execve(2)` passes on what is blocked in the calling thread and what is pending there.
 */
export function passOnSignals(caught: readonly SignalName[]): void {
  const set = new Uint8Array(SIZEOF_SIGSET);
  for (const signal of caught) set[(NUMBERS[signal] - 1) >> 3]! |= 1 << ((NUMBERS[signal] - 1) & 7);
  const error = libc.pthread_sigmask(SIG_BLOCK, set, null);
  if (error !== 0) throw new SystemError("pthread_sigmask", error);
  // To the main thread, which has the id of the process: another thread would take them.
  const pid = BigInt(Deno.pid);
  for (const signal of caught) {
    check("tgkill", callThread(SYS_TGKILL, pid, pid, BigInt(NUMBERS[signal])));
  }
}

/** Whether this process ignores a signal (`sigaction(2)`), as `nohup(1)` makes it ignore SIGHUP. */
export function isIgnored(signal: keyof typeof NUMBERS): boolean {
  const action = new Uint8Array(SIZEOF_SIGACTION);
  check("sigaction", libc.sigaction(NUMBERS[signal], null, action));
  return new DataView(action.buffer).getBigUint64(0, true) === SIG_IGN;
}
