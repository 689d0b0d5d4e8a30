/**
 * Moving bytes between a socket and a pipe inside the kernel: `splice(2)`.
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { BROKEN, WOULD_BLOCK } from "./sockets.ts";
import { libc } from "./symbols.ts";

/**
 * The errors that are about the call and not about the connection: other calls may succeed. Every
 * other one has been the connection's, which the kernel reports once (`SO_ERROR`, socket(7)).
 */
const OF_THE_CALL: ReadonlySet<number> = new Set([
  ...[Errno.EAGAIN, Errno.EINVAL, Errno.ENOBUFS, Errno.ENOMEM, Errno.ENOSYS, Errno.EPERM],
]);

// linux/splice.h
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

/**
 * Moves bytes from one descriptor to another, without waiting. One of them is a pipe, the other one
 * a non-blocking socket.
 *
 * @param count At most how many bytes.
 * @returns The number of bytes, 0 at end-of-file, {@linkcode WOULD_BLOCK} where none can be moved
 * so, or {@linkcode BROKEN} where the connection is.
 */
export function splice(from: Descriptor, to: Descriptor, count: number): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  for (;;) {
    const moved = libc.splice(from.number, null, to.number, null, BigInt(count), flags);
    if (moved >= 0) return moved;
    const error = errno();
    if (error !== Errno.EINTR) return OF_THE_CALL.has(error) ? WOULD_BLOCK : BROKEN;
  }
}
