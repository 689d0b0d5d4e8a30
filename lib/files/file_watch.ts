/**
 * Whether a file has changed since it was read: by its `statx(2)` where that can be trusted, by its
 * content where it cannot.
 *
 * @module
 */
import { PathStat } from "../libc/path_stat.ts";

/**
 * Two changes that are less than this many milliseconds apart may have the same time stamp: twice
 * the coarsest tick of a kernel, which is 10 ms long (`CONFIG_HZ=100`).
 */
const TIME_STAMP_GRANULARITY_MS = 20;

/**
 * Watches one path.
 *
 * The rule: a stat that is equal to the one before means an unchanged file, except where the file
 * was read within {@linkcode TIME_STAMP_GRANULARITY_MS} of its last change. A second change in the
 * same tick leaves the time stamp as it is, and an editor may leave size and inode as they are,
 * too. Such a file has to be read again and its content compared. The index of git has the same
 * rule for the same reason ("racy git").
 *
 * @example
 * ```ts
 * const watch = new FileWatch("/etc/ipcauth/ipc.key");
 * // Each time the content is needed:
 * const differs = watch.poll();
 * if (differs || watch.mustCompare) {
 *   watch.beginRead();
 *   content = read("/etc/ipcauth/ipc.key");
 * }
 * ```
 */
export class FileWatch {
  readonly #stat: PathStat;
  #mustCompare = true;

  /**
   * @param path The file; symbolic links are followed. It need not exist.
   * @throws {TypeError} When the path holds a NUL.
   */
  constructor(path: string) {
    this.#stat = new PathStat(path);
  }

  /**
   * Takes the file's stat: one system call.
   *
   * @returns Whether it differs from the one before. The first call answers true.
   */
  poll(): boolean {
    return this.#stat.update();
  }

  /** Whether the content has to be compared even where {@linkcode poll} answered false. */
  get mustCompare(): boolean {
    return this.#mustCompare;
  }

  /**
   * To be called before each read of the content, after {@linkcode poll}: applies the rule above.
   */
  beginRead(): void {
    this.#mustCompare = this.#stat.exists &&
      this.#stat.changedAt > Date.now() - TIME_STAMP_GRANULARITY_MS;
  }
}
