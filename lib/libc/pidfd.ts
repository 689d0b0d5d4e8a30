/**
 * Processes by a handle that cannot come to mean another one (`pidfd_open(2)`).
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/unistd.h: the same number on x86-64 and arm64
const SYS_pidfd_send_signal = 424n;

const path = new Uint8Array(4096);
const decoder = new TextDecoder();

/**
 * What `/proc/PID/exe` points to, if the pid still means the process of the handle.
 *
 * @param process The handle.
 * @param pid The process's number when the handle was made.
 * @returns The path, or null when the process is gone or may not be looked at.
 */
export function executableOf(process: Descriptor, pid: number): string | null {
  const length = libc.readlink(cString(`/proc/${pid}/exe`), path, BigInt(path.length));
  if (length <= 0) return null;
  // Signal 0 only asks. Had the process died, its pid might have been given to another one before we
  // looked; alive now, it has held the pid all along. EPERM also says that it is alive.
  const alive = libc.pidfd_send_signal(SYS_pidfd_send_signal, process.number, 0, null, 0);
  if (alive !== 0 && errno() !== Errno.EPERM) return null;
  return decoder.decode(path.subarray(0, length));
}
