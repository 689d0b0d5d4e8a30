/**
 * The system calls of a lock file: `open(2)`, `flock(2)`, `unlink(2)`.
 *
 * @module
 */
import { O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_RDWR } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/fcntl.h
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Opens a file for a lock. A missing file is made with mode 0600.
 *
 * @param path The file; a symbolic link is not followed.
 * @throws {SystemError} `ELOOP` for a symbolic link, `EISDIR` for a directory, or what `open(2)`
 * says.
 */
export function openLockFile(path: string): Descriptor {
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  return new Descriptor(check("open", libc.open(cString(path), flags, 0o600)));
}

/**
 * Takes the exclusive lock of an open file, without waiting.
 *
 * @returns Whether it was taken; false when another open file holds it.
 * @throws {SystemError} When `flock(2)` fails for another reason.
 */
export function tryLock(file: Descriptor): boolean {
  if (libc.flock(file.number, LOCK_EX | LOCK_NB) === 0) return true;
  const error = errno();
  if (error === Errno.EAGAIN) return false;
  throw new SystemError("flock", error);
}

/**
 * Removes a name. An error is ignored: a name that cannot be removed is replaced by the next lock.
 */
export function tryUnlink(path: string): void {
  libc.unlink(cString(path));
}
