/**
 * Stopping this process as the terminal's suspend key does: `termios(3)`, `VSUSP`.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

/** asm/signal.h: the same on x86-64 and arm64 */
const SIGTSTP = 20;
/** `sizeof(struct sigaction)` of glibc, in bytes. All zero, it is the default action. */
const SIZEOF_SIGACTION = 152;

/**
 * Sends SIGTSTP, whose default action stops a process. Returns when SIGCONT has continued this one,
 * or at once where the kernel discards the signal: in a process group that no shell could continue
 * (`setpgid(2)`, orphaned process groups).
 *
 * A signal that a process sends to itself is delivered before `kill(2)` returns.
 *
 * @param whole Whether all processes of the group are stopped, as by the key.
 */
export function stopProcess(whole: boolean): void {
  const listener = new Uint8Array(SIZEOF_SIGACTION);
  check("sigaction", libc.sigaction(SIGTSTP, new Uint8Array(SIZEOF_SIGACTION), listener));
  try {
    check("kill", libc.kill(whole ? 0 : Deno.pid, SIGTSTP));
  } finally {
    libc.sigaction(SIGTSTP, listener, null);
  }
}
