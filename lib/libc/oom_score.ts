/**
 * The adjustment of a process's score for the out-of-memory killer: `/proc/PID/oom_score_adj`
 * (`proc(5)`).
 *
 * @module
 */
import { O_CLOEXEC, O_WRONLY } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { readProc } from "./read_file.ts";
import { libc } from "./symbols.ts";

const ZERO = new TextEncoder().encode("0");

/** Whether this process is spared by the out-of-memory killer: its adjustment is negative. */
export function isSpared(): boolean {
  try {
    return Number(readProc("/proc/self/oom_score_adj")) < 0;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return false;
  }
}

/**
 * Sets the adjustment of a child to 0, as `sshd(8)` does for its sessions. A failure is ignored:
 * the child keeps what it has inherited.
 */
export function stopSparing(pid: number): void {
  const number = libc.open(cString(`/proc/${pid}/oom_score_adj`), O_WRONLY | O_CLOEXEC, 0);
  if (number < 0) return;
  using file = new Descriptor(number);
  libc.write(file.number, ZERO, BigInt(ZERO.length));
}
