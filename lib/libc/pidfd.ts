/**
 * Facts about a process that is held by a pidfd: `pidfd_open(2)`.
 *
 * @module
 */
import { O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/unistd.h: the same number on x86-64 and arm64
const SYS_pidfd_send_signal = 424n;

const path = new Uint8Array(4096);
const decoder = new TextDecoder();

/**
 * Reads the path of a process's executable (`/proc/PID/exe`, `proc(5)`).
 *
 * @param process A pidfd of the process.
 * @param pid Its pid when the pidfd was made.
 * @returns The path, or null when the process has ended or its link may not be read.
 */
export function executableOf(process: Descriptor, pid: number): string | null {
  const length = libc.readlink(cString(`/proc/${pid}/exe`), path, BigInt(path.length));
  if (length <= 0 || !isSame(process)) return null;
  return decoder.decode(path.subarray(0, length));
}

/**
 * Reads the beginning of a process's command line (`/proc/PID/cmdline`, `proc(5)`), which the
 * process itself may have written.
 *
 * @param process A pidfd of the process.
 * @param pid Its pid when the pidfd was made.
 * @returns Arguments with a zero behind each, or null when the process has ended or the file may
 * not be read.
 */
export function commandLineOf(process: Descriptor, pid: number): string | null {
  const number = libc.open(cString(`/proc/${pid}/cmdline`), O_RDONLY | O_CLOEXEC, 0);
  if (number < 0) return null;
  using file = new Descriptor(number);
  const length = libc.read(file.number, path, BigInt(path.length));
  if (length <= 0 || !isSame(process)) return null;
  return decoder.decode(path.subarray(0, Number(length)));
}

/** Whether the process of a pidfd exists, so that its pid is still its own. */
function isSame(process: Descriptor): boolean {
  // Signal 0 only checks that the process exists. If it had ended, the path could be that of
  // another process with the same pid; a process that exists now has had its pid throughout. EPERM,
  // too, says that it exists.
  const result = libc.pidfd_send_signal(SYS_pidfd_send_signal, process.number, 0, null, 0);
  return result === 0 || errno() === Errno.EPERM;
}
