/**
 * Reading standard input and writing standard output without the runtime, for a thread that waits
 * for both and for a connection (`PollSet`).
 *
 * @module
 */
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "./constants.ts";
import { Errno, errno, SystemError } from "./errno.ts";
import { FileType, numberStatus } from "./file_status.ts";
import { WOULD_BLOCK } from "./sockets.ts";
import { libc } from "./symbols.ts";

/** The descriptor of standard input. */
export const STDIN = 0;
/** The descriptor of standard output. */
export const STDOUT = 1;

/** The most that a pipe which `poll(2)` calls writable takes without blocking (pipe(7)). */
const PIPE_BUF = 4096;
// linux/fcntl.h
const F_GETPIPE_SZ = 1032;
// asm-generic/ioctls.h
const FIONREAD = 0x541bn;

/**
 * Reads from standard input what is there (`read(2)`).
 *
 * @returns The number of bytes, 0 at end-of-file, or {@linkcode WOULD_BLOCK}.
 * @throws {SystemError} Such as `EISDIR`, `EIO`.
 */
export function readStandardInput(into: Uint8Array<ArrayBuffer>): number {
  const count = libc.read(STDIN, into, BigInt(into.length));
  return count >= 0 ? count : wouldBlock("read");
}

/**
 * Writes to standard output once `poll(2)` has called it writable. The flags of the open file
 * belong to other processes, too, so it is not made non-blocking.
 *
 * @returns A function that writes as much as a pipe or socket takes without blocking, and returns
 * the number of bytes or {@linkcode WOULD_BLOCK}. It throws {@linkcode SystemError}, `EPIPE` where
 * the reader has closed its end.
 */
export function standardOutputWriter(): (bytes: Uint8Array<ArrayBuffer>) => number {
  switch (typeOf(STDOUT)) {
    case FileType.socket:
      return (bytes) => {
        const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        const count = libc.send(STDOUT, bytes, BigInt(bytes.length), flags);
        return count >= 0 ? count : wouldBlock("send");
      };
    case FileType.fifo: {
      const capacity = Math.max(PIPE_BUF, libc.fcntl(STDOUT, F_GETPIPE_SZ, 0));
      // An empty pipe takes its capacity. Nothing says how many of its pages are partly used.
      return (bytes) => write(bytes, unreadBytes() === 0 ? capacity : PIPE_BUF);
    }
    default:
      return (bytes) => write(bytes, bytes.length);
  }
}

const unread = new Int32Array(1);
const unreadSlot = new Uint8Array(unread.buffer);

/** How many bytes wait in the pipe of standard output. */
function unreadBytes(): number {
  return libc.ioctl(STDOUT, FIONREAD, unreadSlot) === 0 ? unread[0]! : PIPE_BUF;
}

function write(bytes: Uint8Array<ArrayBuffer>, limit: number): number {
  const count = libc.write(STDOUT, bytes, BigInt(Math.min(bytes.length, limit)));
  return count >= 0 ? count : wouldBlock("write");
}

function typeOf(number: number): number | null {
  try {
    return numberStatus(number).mode & FileType.mask;
  } catch {
    // No open file has this number: the write says so.
    return null;
  }
}

/** @throws {SystemError} For every other error. */
function wouldBlock(call: string): number {
  const error = errno();
  if (error === Errno.EAGAIN || error === Errno.EINTR) return WOULD_BLOCK;
  throw new SystemError(call, error);
}
