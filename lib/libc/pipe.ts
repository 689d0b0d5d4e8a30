/**
 * Pipes: `pipe(7)`.
 *
 * @module
 */
import { F_SETFL, O_CLOEXEC, O_NONBLOCK, O_WRONLY } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno } from "./errno.ts";
import { cString } from "./memory.ts";
import { BROKEN, WOULD_BLOCK } from "./sockets.ts";
import { libc } from "./symbols.ts";

// linux/fcntl.h
const F_SETPIPE_SZ = 1031;

/**
 * Makes a pipe (`pipe2(2)`); both ends are close-on-exec.
 *
 * @returns The reading end, which is non-blocking, and the writing end, which blocks, as programs
 * expect of their standard error.
 * @throws {SystemError} `EMFILE` or `ENFILE`.
 */
export function pipe(): { readonly reader: Descriptor; readonly writer: Descriptor } {
  const pair = new Int32Array(2);
  check("pipe2", libc.pipe2(new Uint8Array(pair.buffer), O_CLOEXEC));
  const [reader, writer] = [new Descriptor(pair[0]!), new Descriptor(pair[1]!)];
  try {
    check("fcntl", libc.fcntl(reader.number, F_SETFL, O_NONBLOCK));
  } catch (error) {
    reader.close();
    writer.close();
    throw error;
  }
  return { reader, writer };
}

/**
 * Asks for a capacity of a pipe (`F_SETPIPE_SZ`, `pipe(7)`). Beyond its user's limit the kernel
 * refuses, and the pipe stays as it is.
 *
 * @param capacity In bytes.
 */
export function resizePipe(end: Descriptor, capacity: number): void {
  libc.fcntl(end.number, F_SETPIPE_SZ, capacity);
}

/**
 * Opens what takes every byte and keeps none (`null(4)`), to write to; close-on-exec.
 *
 * @throws {SystemError} `EMFILE` or `ENFILE`, and where there is no `/dev`.
 */
export function openNull(): Descriptor {
  const number = libc.open(cString("/dev/null"), O_WRONLY | O_CLOEXEC, 0);
  return new Descriptor(check("open", number));
}

/**
 * Makes an open file blocking, as programs expect of their standard input. The flag belongs to the
 * open file and so to all of its descriptors (`open(2)`); this layer's own calls pass
 * `MSG_DONTWAIT`.
 *
 * @throws {SystemError} When the kernel does not allow it.
 */
export function makeBlocking(connection: Descriptor): void {
  check("fcntl", libc.fcntl(connection.number, F_SETFL, 0));
}

/**
 * Reads the bytes that are in a pipe (`read(2)`).
 *
 * @param into Receives them.
 * @returns The number of bytes, 0 at end-of-file, `WOULD_BLOCK` or `BROKEN` of `sockets.ts`.
 */
export function readPipe(reader: Descriptor, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const count = libc.read(reader.number, into, BigInt(into.length));
    if (count >= 0) return count;
    const error = errno();
    if (error !== Errno.EINTR) return error === Errno.EAGAIN ? WOULD_BLOCK : BROKEN;
  }
}
