/**
 * Waiting for one descriptor: `poll(2)`.
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { Errno, errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

// asm-generic/poll.h
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
/** `sizeof(struct pollfd)` in bytes. */
export const SIZEOF_POLLFD = 8;

/**
 * Waits until a descriptor can be read or written without blocking, or has an error. Blocks the
 * thread.
 *
 * @param descriptor The descriptor.
 * @param what Whether to read or to write.
 * @param timeout In milliseconds.
 * @returns False when the timeout has passed.
 * @throws {SystemError} When the kernel cannot wait (`ENOMEM`).
 */
export function waitFor(
  descriptor: Descriptor,
  what: "input" | "output",
  timeout: number,
): boolean {
  const entry = new Uint8Array(SIZEOF_POLLFD);
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

/**
 * Waits until a descriptor can be read or written without blocking, or has an error or been shut
 * down. The runtime waits in a thread of its own, of which it has 32 in all: no program may have
 * many such waits at once. A signal may end the wait early.
 *
 * @param descriptor Must stay open until the wait has ended.
 * @param events {@linkcode POLLIN} or {@linkcode POLLOUT}.
 * @param timeout In milliseconds; −1 waits for ever.
 */
export async function waitInBackground(
  descriptor: Descriptor,
  events: number,
  timeout = -1,
): Promise<void> {
  const entry = new Uint8Array(SIZEOF_POLLFD);
  const view = new DataView(entry.buffer);
  view.setInt32(0, descriptor.number, true);
  view.setInt16(4, events, true);
  await libc.poll_in_background(entry, 1n, timeout);
  // The kernel writes into the entry, so it has to be in use until the wait has ended.
  view.setInt16(6, 0);
}
