/**
 * Error numbers of the kernel and the C library: `errno(3)`.
 *
 * @module
 */
import { libc } from "./symbols.ts";

/**
 * The error numbers that this program distinguishes: asm-generic/errno-base.h, asm-generic/errno.h.
 */
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
  EBUSY: 16,
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
  EAFNOSUPPORT: 97,
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
  [Errno.ENXIO]: "there is no such device, or no process at its other end",
  [Errno.E2BIG]: "the arguments and the environment are too long",
  [Errno.ENOEXEC]: "it is not a program that this machine can run",
  [Errno.ENOMEM]: "out of memory",
  [Errno.EACCES]: "permission denied",
  [Errno.EBUSY]: "it is in use, or a mount point",
  [Errno.EEXIST]: "it exists already",
  [Errno.ENOTDIR]: "a part of the path is not a directory",
  [Errno.EISDIR]: "it is a directory",
  [Errno.EINVAL]: "invalid argument",
  [Errno.EMFILE]: "too many open files in this process",
  [Errno.ENFILE]: "too many open files on this machine",
  [Errno.ETXTBSY]: "a process is writing to it",
  [Errno.EFBIG]: "the file would be too large",
  [Errno.ENOSPC]: "no space left on the device",
  [Errno.EROFS]: "the file system is read-only",
  [Errno.ENAMETOOLONG]: "the name is too long",
  [Errno.ELOOP]: "it is a symbolic link, or there are too many of them",
  [Errno.EAFNOSUPPORT]: "this machine does not have this address family",
  [Errno.EADDRINUSE]: "the address is in use",
  [Errno.EADDRNOTAVAIL]: "the address is not one of this machine",
  [Errno.ENETUNREACH]: "there is no route to this network",
  [Errno.ECONNRESET]: "the connection was reset",
  [Errno.ETIMEDOUT]: "it does not answer",
  [Errno.ECONNREFUSED]: "no server is listening",
  [Errno.EHOSTUNREACH]: "there is no route to this host",
};

const names = new Map(Object.entries(Errno).map(([name, number]) => [number as number, name]));

// Each thread has its own errno, and its own instance of this module. Both functions are opened
// here, before any call can fail: to open one changes errno.
const location = libc.__errno_location();
const slot = new Int32Array(1);
const slotBytes = new Uint8Array(slot.buffer);
errno();

/** Reads `errno` of the calling thread. Valid only right after the call that has failed. */
export function errno(): number {
  libc.errno_copy(slotBytes, location, 4n);
  return slot[0]!;
}

/** Sets `errno` of the calling thread to 0, before a call that reports errors in no other way. */
export function clearErrno(): void {
  libc.errno_fill(location, 0, 4n);
}

/** The failure of a call of the C library or the kernel. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** The error number, which need not be among {@linkcode Errno}. */
  readonly errno: number;
  /**
   * The symbol, such as `EACCES`, or `errno N` for a number that is not among {@linkcode Errno}.
   */
  readonly code: string;

  /**
   * @param call The name of the function, as in its man page.
   * @param number The error number. Omitted: the current `errno`.
   */
  constructor(call: string, number: number = errno()) {
    const code = names.get(number) ?? `errno ${number}`;
    super(`${call}: ${describe(number)}`);
    this.errno = number;
    this.code = code;
  }
}

/** Describes an error number in a few words, such as `permission denied`. */
export function describe(number: number): string {
  return sentences[number] ?? names.get(number) ?? `errno ${number}`;
}

/**
 * Checks the result of a call that answers −1 on failure.
 *
 * @param call The name of the function.
 * @param result Its result.
 * @returns The result.
 * @throws {SystemError} When the result is −1, with the current `errno`.
 */
export function check(call: string, result: number): number {
  if (result === -1) throw new SystemError(call);
  return result;
}
