/**
 * What went wrong in the C library, as a value and as an error.
 *
 * @module
 */
import { libc } from "./symbols.ts";

/** The error numbers this program tells apart (`asm-generic/errno-base.h`, `asm-generic/errno.h`). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  ENOTSOCK: 88,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
} as const;

const sentences: Record<number, string> = {
  [Errno.EPERM]: "operation not permitted",
  [Errno.ENOENT]: "no such file or directory",
  [Errno.EIO]: "the device or file system failed",
  [Errno.E2BIG]: "the arguments and the environment are too long",
  [Errno.ENOEXEC]: "it is no program that this machine can run",
  [Errno.ENOMEM]: "out of memory",
  [Errno.EACCES]: "permission denied",
  [Errno.EEXIST]: "it exists already",
  [Errno.ENOTDIR]: "a part of the path is not a directory",
  [Errno.EISDIR]: "it is a directory",
  [Errno.EINVAL]: "invalid argument",
  [Errno.EMFILE]: "too many open files in this process",
  [Errno.ENFILE]: "too many open files on this machine",
  [Errno.ETXTBSY]: "somebody is writing to it",
  [Errno.EFBIG]: "the file would be too large",
  [Errno.ENOSPC]: "no space left on the device",
  [Errno.EROFS]: "the file system is read-only",
  [Errno.ENAMETOOLONG]: "the name is too long",
  [Errno.ELOOP]: "it is a symbolic link, or there are too many of them",
  [Errno.EADDRINUSE]: "the address is in use",
  [Errno.EADDRNOTAVAIL]: "the address is not one of this machine",
  [Errno.ENETUNREACH]: "there is no way to this network",
  [Errno.ECONNRESET]: "the connection was reset",
  [Errno.ETIMEDOUT]: "it does not answer",
  [Errno.ECONNREFUSED]: "nobody is listening",
  [Errno.EHOSTUNREACH]: "there is no way to this host",
};

const names = new Map(Object.entries(Errno).map(([name, number]) => [number as number, name]));

// One location a thread, and this module is loaded once a thread.
const location = libc.__errno_location();
const slot = new Int32Array(1);
const slotBytes = new Uint8Array(slot.buffer);

/** `errno` of this thread. Read it before anything else runs. */
export function errno(): number {
  libc.errno_copy(slotBytes, location, 4n);
  return slot[0]!;
}

/** A call of the C library or the kernel failed. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** The error number, a value of {@linkcode Errno} or another of the kernel's. */
  readonly errno: number;
  /** The number's symbol, such as `EACCES`. */
  readonly code: string;

  /**
   * @param call The function that failed, as its manual page is named.
   * @param number Its `errno`; read now where it is left out.
   */
  constructor(call: string, number: number = errno()) {
    const code = names.get(number) ?? `errno ${number}`;
    super(`${call}: ${describe(number)}`);
    this.errno = number;
    this.code = code;
  }
}

/** A few words for an error number, such as `permission denied`. */
export function describe(number: number): string {
  return sentences[number] ?? names.get(number) ?? `errno ${number}`;
}

/**
 * The result of a call that answers −1 on failure.
 *
 * @throws {SystemError} When it did.
 */
export function check(call: string, result: number): number {
  if (result === -1) throw new SystemError(call);
  return result;
}
