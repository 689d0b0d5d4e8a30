/**
 * The state of a path, taken again and again with `statx(2)`, without an allocation per call.
 *
 * @module
 */
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, SIZEOF_STATX, STATX_BASIC_STATS } from "./constants.ts";
import { errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";
import { isOpenForWriting } from "./write_access.ts";

// linux/fcntl.h. A network file system asks its server instead of its cache, which may be stale for
// a minute (`acregmax` of nfs(5)).
const AT_STATX_FORCE_SYNC = 0x2000;

// struct statx (linux/stat.h): the 32-bit words that change when the file, its content or its
// permissions do. Reading changes the access time (words 16 to 18), so that one is left out.
const COMPARED_WORDS = [
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

/** Those of the words that say which file it is: inode and device. */
const IDENTITY_WORDS: ReadonlySet<number> = new Set([0x20 / 4, 0x24 / 4, 0x88 / 4, 0x8c / 4]);

/**
 * The coarsest time stamps that a file system keeps, in milliseconds: the 2 s of FAT. ext4 with
 * inodes of 128 bytes and many network file systems keep whole seconds.
 */
const COARSE_MS = 2_000;
/**
 * Twice the coarsest tick of a kernel, which is 10 ms long (`CONFIG_HZ=100`), in milliseconds: two
 * changes within one tick have the same time stamp.
 */
const TICK_MS = 20;
/** A time stamp that is no multiple of this, in nanoseconds, is kept with finer units. */
const TICK_NS = 10_000_000;

/** The state of one path, as of the last {@linkcode PathStat.update}. */
export class PathStat {
  readonly #path: Uint8Array<ArrayBuffer>;
  readonly #flags: number;
  readonly #buffer = new Uint8Array(SIZEOF_STATX);
  readonly #words = new Uint32Array(this.#buffer.buffer);
  readonly #last = new Uint32Array(COMPARED_WORDS.length);
  #isKnown = false;
  #exists = false;
  /** Why the last call has failed, as an error number; 0 where it has not. */
  #failure = 0;
  #isReplaced = false;

  /**
   * @param path The file.
   * @param followsLinks Whether a symbolic link in its last part is followed.
   * @throws {TypeError} When the path holds a NUL.
   */
  constructor(path: string, followsLinks = true) {
    this.#path = cString(path);
    this.#flags = AT_STATX_FORCE_SYNC | (followsLinks ? 0 : AT_SYMLINK_NOFOLLOW);
  }

  /** Whether `statx(2)` succeeded at the last {@linkcode update}. */
  get exists(): boolean {
    return this.#exists;
  }

  /** Why `statx(2)` failed at the last {@linkcode update}; null where it did not. */
  get failure(): SystemError | null {
    return this.#failure === 0 ? null : new SystemError("statx", this.#failure);
  }

  /** Whether the last {@linkcode update} found another file under the name than the one before. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Whether a process has the file open for writing, as far as the kernel says. */
  get isBeingWritten(): boolean {
    return this.#exists && isOpenForWriting(this.#path);
  }

  /**
   * For how long two changes of the file may have the same time stamp, in milliseconds. The change
   * time says it, which no caller can set: a file system that keeps whole seconds has no
   * nanoseconds.
   */
  get granularity(): number {
    return this.#words[0x68 / 4]! % TICK_NS === 0 ? COARSE_MS : TICK_MS;
  }

  /**
   * Calls `statx(2)`.
   *
   * @returns Whether the state differs from that of the call before. The first call answers true.
   */
  update(): boolean {
    const flags = this.#flags;
    const result = libc.statx(AT_FDCWD, this.#path, flags, STATX_BASIC_STATS, this.#buffer);
    const failure = result === 0 ? 0 : errno();
    const exists = failure === 0;
    // A file that is not there may be one that cannot be looked at now.
    let differs = !this.#isKnown || failure !== this.#failure;
    let isAnother = false;
    if (exists) {
      for (let index = 0; index < COMPARED_WORDS.length; index++) {
        const word = this.#words[COMPARED_WORDS[index]!]!;
        if (word !== this.#last[index]) {
          this.#last[index] = word;
          differs = true;
          if (IDENTITY_WORDS.has(COMPARED_WORDS[index]!)) isAnother = true;
        }
      }
    }
    // A file that appears may be written in its place, so it has replaced nothing.
    this.#isReplaced = isAnother && this.#exists;
    this.#isKnown = true;
    this.#exists = exists;
    this.#failure = failure;
    return differs;
  }
}
