/**
 * Appending to a file: `open(2)` with `O_APPEND`.
 *
 * @module
 */
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_WRONLY,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { descriptorStatus, FileType } from "./file_status.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/fcntl.h
const O_NOCTTY = 0o400;
const O_APPEND = 0o2000;

/** A file opened by {@linkcode openToAppend}. */
export interface AppendedFile {
  readonly descriptor: Descriptor;
  /** Whether this call has made the file. */
  readonly isNew: boolean;
}

/**
 * Opens a file for appending, and makes it when there is none. Each write goes to the end of the
 * file in one piece, also when other processes append to it. Neither opening nor writing waits for
 * the reader of a FIFO.
 *
 * @param path The file. A symbolic link in its last part is not followed.
 * @param mode The permission bits of a new file, before the umask.
 * @param directory Where a relative path begins; the current directory where it is left out.
 * @throws {SystemError} `ELOOP` for a symbolic link, `ENXIO` for a socket or a FIFO without a
 * reader, and others of `open(2)`.
 */
export function openToAppend(path: string, mode: number, directory?: Descriptor): AppendedFile {
  const name = cString(path);
  const from = directory?.number ?? AT_FDCWD;
  const flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
  for (;;) {
    const existing = libc.openat(from, name, flags, 0);
    if (existing >= 0) return { descriptor: new Descriptor(existing), isNew: false };
    if (errno() !== Errno.ENOENT) throw new SystemError("open");
    const made = libc.openat(from, name, flags | O_CREAT | O_EXCL, mode);
    if (made >= 0) return { descriptor: new Descriptor(made), isNew: true };
    // Another process has made the file meanwhile: open that one.
    if (errno() !== Errno.EEXIST) throw new SystemError("open");
  }
}

/**
 * Appends bytes (`write(2)`).
 *
 * @returns The number of bytes written, which may be fewer.
 * @throws {SystemError} When none was written: `ENOSPC`, `EAGAIN` for a full FIFO, and others.
 */
export function append(file: Descriptor, bytes: Uint8Array<ArrayBuffer>): number {
  return check("write", libc.write(file.number, bytes, BigInt(bytes.length)));
}

/**
 * Removes the last bytes of a file. The caller must be the only writer since it has written them:
 * the bytes are not compared.
 *
 * @param count The number of bytes.
 * @returns Whether they are removed. They are not from a device or a FIFO, nor from a file that
 * only grows (`chattr +a`).
 */
export function removeTail(file: Descriptor, count: number): boolean {
  const { mode, size } = descriptorStatus(file);
  if ((mode & FileType.mask) !== FileType.regular || size < count) return false;
  return libc.ftruncate(file.number, BigInt(size - count)) === 0;
}
