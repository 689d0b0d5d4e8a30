/**
 * Watching a file for changes, and a lock that is a file.
 *
 * @module
 */
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_RDWR,
  STATX_BASIC_STATS,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { descriptorStatus, linkStatus } from "./file_status.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

// struct statx (linux/stat.h): the words that change when the file, its content or its rights do.
// Reading changes the access time (words 16 to 18), so that one is left out.
const WATCHED_WORDS = [
  0x14 / 4, // uid
  0x18 / 4, // gid
  0x1c / 4, // mode (16 bits)
  0x20 / 4, // inode
  0x24 / 4,
  0x28 / 4, // size
  0x2c / 4,
  0x60 / 4, // change time: seconds, nanoseconds
  0x64 / 4,
  0x68 / 4,
  0x70 / 4, // modification time
  0x74 / 4,
  0x78 / 4,
  0x88 / 4, // device
  0x8c / 4,
] as const;

/** Looks at one path again and again, and says whether it is still the same file in the same state. */
export class FileWatch {
  readonly #path: Uint8Array<ArrayBuffer>;
  readonly #buffer = new Uint8Array(256);
  readonly #words = new Uint32Array(this.#buffer.buffer);
  readonly #seen = new Uint32Array(WATCHED_WORDS.length);
  #known = false;
  #exists = false;

  /** @param path The file; symbolic links are followed. */
  constructor(path: string) {
    this.#path = cString(path);
  }

  /** Whether the file was there at the last {@linkcode look}. */
  get exists(): boolean {
    return this.#exists;
  }

  /** When the file was last changed (`ctime`), in milliseconds since the epoch. */
  get changedAt(): number {
    const high = this.#words[0x64 / 4]! * 2 ** 32;
    return (high + this.#words[0x60 / 4]!) * 1_000 + this.#words[0x68 / 4]! / 1e6;
  }

  /**
   * Looks.
   *
   * @returns Whether something differs from the look before. The first look always differs.
   */
  look(): boolean {
    const result = libc.statx(AT_FDCWD, this.#path, 0, STATX_BASIC_STATS, this.#buffer);
    const exists = result === 0;
    let differs = !this.#known || exists !== this.#exists;
    if (exists) {
      for (let index = 0; index < WATCHED_WORDS.length; index++) {
        const word = this.#words[WATCHED_WORDS[index]!]!;
        if (word !== this.#seen[index]) {
          this.#seen[index] = word;
          differs = true;
        }
      }
    }
    this.#known = true;
    this.#exists = exists;
    return differs;
  }
}

/** A lock on a file of its own, held until {@linkcode LockFile.release} or the end of the process. */
export class LockFile {
  readonly #descriptor: Descriptor;
  readonly #path: string;
  readonly #identity: string;

  private constructor(descriptor: Descriptor, path: string, identity: string) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#identity = identity;
  }

  /**
   * Takes the lock (`flock(2)`), creating the file with mode 0600.
   *
   * @param path The file.
   * @param holder A uid whose lock counts too, beside root's and ours; −1 for nobody else.
   * @returns The lock, or null when somebody else holds it.
   * @throws {SystemError} When the file cannot be opened; `ELOOP` for a symbolic link, `EPERM` when it
   * belongs to a third user.
   */
  static tryAcquire(path: string, holder = -1): LockFile | null {
    const name = cString(path);
    for (;;) {
      const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
      const descriptor = new Descriptor(check("open", libc.open(name, flags, 0o600)));
      try {
        const opened = descriptorStatus(descriptor);
        if (![0, libc.geteuid(), holder].includes(opened.uid)) {
          throw new SystemError("open", Errno.EPERM);
        }
        if (libc.flock(descriptor.number, LOCK_EX | LOCK_NB) !== 0) {
          const error = errno();
          if (error !== Errno.EAGAIN) throw new SystemError("flock", error);
          descriptor.close();
          return null;
        }
        // The holder before us may have removed the name between our open and our lock; a lock on a
        // file without a name excludes nobody.
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
   * Removes the file and lets the next one in. Where somebody removed it from under us, the file of that
   * name is another one's lock by now, and stays.
   */
  release(): void {
    if (!this.#descriptor.isOpen) return;
    if (this.#isOurs()) libc.unlink(cString(this.#path));
    this.#descriptor.close();
  }

  #isOurs(): boolean {
    try {
      return linkStatus(this.#path)?.identity === this.#identity;
    } catch {
      // Who may no longer look, having given up root, may not remove either. The lock ends all the same.
      return false;
    }
  }

  /** Releases at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.release();
  }
}
