/**
 * A lock that one process at a time holds, on a file of its own (`flock(2)`).
 *
 * @module
 */
import { dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { descriptorStatus, linkStatus } from "../libc/file_status.ts";
import { openLockFile, tryLock, tryUnlink } from "../libc/flock.ts";
import { effectiveUid } from "../libc/ids.ts";
import { shellWord } from "../text/shell_word.ts";
import { diskHint, isDenied } from "./system_reason.ts";

/**
 * The failure to take a lock, of which the file may be one that another user has left.
 *
 * @param path The lock file.
 * @param error What {@linkcode LockFile.tryAcquire} threw.
 */
export function lockFailure(path: string, error: unknown): unknown {
  if (!(error instanceof SystemError)) return error;
  const uid = isDenied(error) ? ownerOf(path) : null;
  const word = shellWord(path);
  return new Failure(
    uid === null || uid === effectiveUid()
      ? `Cannot lock ${path}: ${describe(error.errno)}`
      : `Cannot lock ${path}: it belongs to uid ${uid}`,
    {
      exit: isDenied(error) ? ExitCode.refused : ExitCode.os,
      hint: uid === null
        ? diskHint(dirname(path), error) ?? `ls -ld ${word} ${shellWord(dirname(path))}`
        : `fuser -v ${word} || rm ${word}`,
      cause: error,
    },
  );
}

function ownerOf(path: string): number | null {
  try {
    return linkStatus(path)?.uid ?? null;
  } catch {
    return null;
  }
}

/** A lock, held until {@linkcode LockFile.release} or the end of the process. */
export class LockFile {
  readonly #descriptor: Descriptor;
  readonly #path: string;
  /** Device and inode of the locked file. */
  readonly #identity: string;

  private constructor(descriptor: Descriptor, path: string, identity: string) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#identity = identity;
  }

  /**
   * Takes the lock without waiting. A missing file is made with mode 0600.
   *
   * @param path The file.
   * @param otherOwner A uid that may own the file, beside root and the process; −1 for no other.
   * @returns The lock, or null when another process holds it.
   * @throws {SystemError} When the file cannot be opened; `ELOOP` for a symbolic link, `EPERM` when
   * it belongs to a third user, who could hold the lock for ever.
   */
  static tryAcquire(path: string, otherOwner = -1): LockFile | null {
    for (;;) {
      const descriptor = openLockFile(path);
      try {
        const opened = descriptorStatus(descriptor);
        if (![0, effectiveUid(), otherOwner].includes(opened.uid)) {
          throw new SystemError("open", Errno.EPERM);
        }
        if (!tryLock(descriptor)) {
          descriptor.close();
          return null;
        }
        // The previous holder may have removed the name between open(2) and flock(2). A lock on a
        // file without a name excludes no other process, so the next round makes a new file.
        if (linkStatus(path)?.identity === opened.identity) {
          return new LockFile(descriptor, path, opened.identity);
        }
      } catch (error) {
        descriptor.close();
        throw error;
      }
      descriptor.close();
    }
  }

  /**
   * Removes the file and ends the lock. Where the path names another file by now, that file is the
   * lock of another process, and stays.
   */
  release(): void {
    if (!this.#descriptor.isOpen) return;
    if (this.#isStillNamed()) tryUnlink(this.#path);
    this.#descriptor.close();
  }

  #isStillNamed(): boolean {
    try {
      return linkStatus(this.#path)?.identity === this.#identity;
    } catch {
      // A process that gave up root may not be allowed to stat the path, nor to remove it. Closing
      // the descriptor ends the lock all the same.
      return false;
    }
  }

  /** Releases at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.release();
  }
}
