/**
 * Moving bytes between a socket and a pipe inside the kernel: `splice(2)`.
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { BROKEN, WOULD_BLOCK } from "./sockets.ts";
import { libc } from "./symbols.ts";

// linux/splice.h
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

/**
 * Moves bytes from one descriptor to another, without waiting. One of them is a pipe, the other one
 * a non-blocking socket.
 *
 * @param count At most how many bytes.
 * @returns The number of bytes, 0 at end-of-file, {@linkcode WOULD_BLOCK}, or {@linkcode BROKEN}
 * for every other error.
 */
export function splice(from: Descriptor, to: Descriptor, count: number): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  for (;;) {
    const moved = libc.splice(from.number, null, to.number, null, BigInt(count), flags);
    if (moved >= 0) return moved;
    const error = errno();
    if (error !== Errno.EINTR) return error === Errno.EAGAIN ? WOULD_BLOCK : BROKEN;
  }
}
