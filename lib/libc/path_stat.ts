/**
 * The state of a path, taken again and again with `statx(2)`, without an allocation per call.
 *
 * @module
 */
import { AT_FDCWD, SIZEOF_STATX, STATX_BASIC_STATS } from "./constants.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

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

/** The state of one path, as of the last {@linkcode PathStat.update}. */
export class PathStat {
  readonly #path: Uint8Array<ArrayBuffer>;
  readonly #buffer = new Uint8Array(SIZEOF_STATX);
  readonly #words = new Uint32Array(this.#buffer.buffer);
  readonly #last = new Uint32Array(COMPARED_WORDS.length);
  #isKnown = false;
  #exists = false;

  /**
   * @param path The file; symbolic links are followed.
   * @throws {TypeError} When the path holds a NUL.
   */
  constructor(path: string) {
    this.#path = cString(path);
  }

  /** Whether `statx(2)` succeeded at the last {@linkcode update}. */
  get exists(): boolean {
    return this.#exists;
  }

  /** When the file was last changed (`ctime`), in milliseconds since the epoch. */
  get changedAt(): number {
    const high = this.#words[0x64 / 4]! * 2 ** 32;
    return (high + this.#words[0x60 / 4]!) * 1_000 + this.#words[0x68 / 4]! / 1e6;
  }

  /**
   * Calls `statx(2)`.
   *
   * @returns Whether the state differs from that of the call before. The first call answers true.
   */
  update(): boolean {
    const result = libc.statx(AT_FDCWD, this.#path, 0, STATX_BASIC_STATS, this.#buffer);
    const exists = result === 0;
    let differs = !this.#isKnown || exists !== this.#exists;
    if (exists) {
      for (let index = 0; index < COMPARED_WORDS.length; index++) {
        const word = this.#words[COMPARED_WORDS[index]!]!;
        if (word !== this.#last[index]) {
          this.#last[index] = word;
          differs = true;
        }
      }
    }
    this.#isKnown = true;
    this.#exists = exists;
    return differs;
  }
}
