/**
 * Pipes (`pipe(2)`), and who waits at a descriptor and who does not.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno } from "./errno.ts";
import { BROKEN, WOULD_BLOCK } from "./sockets.ts";
import { libc } from "./symbols.ts";

export { BROKEN, WOULD_BLOCK } from "./sockets.ts";

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;

/** A pipe whose reader never waits and whose writer does; both close-on-exec. */
export function pipe(): { readonly reader: Descriptor; readonly writer: Descriptor } {
  const pair = new Int32Array(2);
  check("pipe2", libc.pipe2(new Uint8Array(pair.buffer), O_CLOEXEC));
  const [reader, writer] = [new Descriptor(pair[0]!), new Descriptor(pair[1]!)];
  check("fcntl", libc.fcntl(reader.number, F_SETFL, O_NONBLOCK));
  return { reader, writer };
}

/**
 * Makes whoever uses a connection wait for it, as programs expect of their standard input. That belongs to the
 * open file, so it is so for all descriptors of it; our own calls say `MSG_DONTWAIT` each time.
 */
export function makeBlocking(connection: Descriptor): void {
  check("fcntl", libc.fcntl(connection.number, F_SETFL, 0));
}

/**
 * Reads from a pipe.
 *
 * @returns The number of bytes, 0 at the end, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 */
export function readPipe(reader: Descriptor, into: Uint8Array<ArrayBuffer>): number {
  const count = libc.read(reader.number, into, BigInt(into.length));
  if (count >= 0) return count;
  const error = errno();
  return error === Errno.EAGAIN || error === Errno.EINTR ? WOULD_BLOCK : BROKEN;
}
