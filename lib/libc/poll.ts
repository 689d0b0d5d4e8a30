/**
 * Waiting for one descriptor, with the thread (`poll(2)`).
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { Errno, errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

const POLLIN = 0x1;
const POLLOUT = 0x4;

/**
 * Waits until a descriptor can be read or written, or is broken. Blocks the thread.
 *
 * @param timeout Milliseconds.
 * @returns Whether it is so; false after the timeout.
 */
export function waitFor(
  descriptor: Descriptor,
  what: "input" | "output",
  timeout: number,
): boolean {
  const entry = new Uint8Array(8);
  const view = new DataView(entry.buffer);
  view.setInt32(0, descriptor.number, true);
  view.setInt16(4, what === "input" ? POLLIN : POLLOUT, true);
  const until = performance.now() + timeout;
  for (;;) {
    const left = Math.max(0, Math.ceil(until - performance.now()));
    const count = libc.poll(entry, 1n, left);
    if (count >= 0) return count > 0;
    const error = errno();
    if (error !== Errno.EINTR) throw new SystemError("poll", error);
  }
}
