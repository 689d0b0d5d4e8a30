/**
 * A file that is only ever written to behind its end.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { descriptorStatus, FileType } from "./files.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const O_WRONLY = 0o1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_NOFOLLOW = Deno.build.arch === "x86_64" ? 0o400000 : 0o100000;
const O_CLOEXEC = 0o2000000;

/** What {@linkcode openToAppend} has opened. */
export interface AppendedFile {
  readonly descriptor: Descriptor;
  /** Whether it was not there before. */
  readonly isNew: boolean;
}

/**
 * Opens a file to write behind its end, and makes it where there is none. Every write is one piece, whoever else
 * writes there (`open(2)`, `O_APPEND`), and neither opening nor writing ever waits for a reader.
 *
 * @throws {SystemError} When it cannot be; `ELOOP` for a symbolic link, `ENXIO` for a socket or for a FIFO that
 * nobody reads.
 */
export function openToAppend(path: string, mode: number): AppendedFile {
  const name = cString(path);
  const flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
  for (;;) {
    const found = libc.open(name, flags, 0);
    if (found >= 0) return { descriptor: new Descriptor(found), isNew: false };
    if (errno() !== Errno.ENOENT) throw new SystemError("open");
    const made = libc.open(name, flags | O_CREAT | O_EXCL, mode);
    if (made >= 0) return { descriptor: new Descriptor(made), isNew: true };
    // Where somebody has made it meanwhile, it is there now.
    if (errno() !== Errno.EEXIST) throw new SystemError("open");
  }
}

/**
 * Writes to a file.
 *
 * @returns How many bytes were taken.
 * @throws {SystemError} When none were, such as where a disk is full.
 */
export function append(file: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  return check("write", libc.write(file.number, bytes, BigInt(bytes.length)));
}

/**
 * Takes back what was just written, as far as nobody else has written behind it.
 *
 * @param count How many bytes.
 * @returns Whether they are gone; never from a device, nor from a file that may only grow (`chattr +a`).
 */
export function takeBack(file: Descriptor, count: number): boolean {
  const { mode, size } = descriptorStatus(file);
  if ((mode & FileType.mask) !== FileType.regular || size < count) return false;
  return libc.ftruncate(file.number, BigInt(size - count)) === 0;
}

/**
 * Gives a file that we have made to somebody.
 *
 * @throws {SystemError} When the kernel does not let us.
 */
export function giveFile(file: Descriptor, uid: number, gid: number): void {
  check("fchown", libc.fchown(file.number, uid, gid));
}
