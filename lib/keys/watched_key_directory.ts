/**
 * The list of the keys in a directory that is never older than the directory.
 *
 * @module
 */
import { asFailure, ExitCode, type Failure } from "../errors.ts";
import type { DescriptorReserve } from "../files/descriptor_reserve.ts";
import { isPassing } from "../files/system_reason.ts";
import { PathStat } from "../libc/path_stat.ts";
import { type DirectoryEntry, listKeyDirectory } from "./key_directory.ts";

/** How often a directory that cannot be used is read again, in milliseconds. */
const RETRY_INTERVAL_MS = 200;

/** A directory of keys. One that cannot be read, or that others may write to, has no key. */
export class WatchedKeyDirectory {
  readonly #path: string;
  readonly #ownUid: number;
  readonly #reserve: DescriptorReserve | null;
  readonly #stat: PathStat;
  #keys: readonly DirectoryEntry[] = [];
  #failure: Failure | null = null;
  #isUnreadable = false;
  #changedAt = -Infinity;
  #retryAt = 0;

  /** The parameters are those of a key's `WatchedKey`. */
  constructor(path: string, ownUid: number, reserve: DescriptorReserve | null = null) {
    this.#path = path;
    this.#ownUid = ownUid;
    this.#reserve = reserve;
    this.#stat = new PathStat(path);
  }

  /** The keys of the last {@linkcode refresh}: the same value where none has come or gone. */
  get keys(): readonly DirectoryEntry[] {
    return this.#keys;
  }

  /** Whether it cannot be read at the moment. Its keys are the former ones then. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /**
   * Lists the directory where it may have changed. An unchanged one costs one `statx(2)`.
   *
   * @returns Why it has no key, once for each reason; else null.
   */
  refresh(): Failure | null {
    const now = performance.now();
    if (this.#stat.update()) this.#changedAt = now;
    // A later change may have the same time stamp.
    const mayDiffer = now <= this.#changedAt + 2 * this.#stat.granularity;
    const isRetried = this.#failure !== null && now >= this.#retryAt;
    if (!mayDiffer && !isRetried) return null;
    this.#retryAt = now + RETRY_INTERVAL_MS;
    const list = () => {
      const { failure } = this.#stat;
      // What is listed could change unnoticed.
      if (isPassing(failure)) throw failure;
      return listKeyDirectory(this.#path, this.#ownUid);
    };
    try {
      const keys = this.#reserve === null ? list() : this.#reserve.use(list);
      this.#failure = null;
      this.#isUnreadable = false;
      if (JSON.stringify(keys) !== JSON.stringify(this.#keys)) this.#keys = keys;
      return null;
    } catch (error) {
      const what = `Cannot read the key directory ${this.#path}`;
      const failure = asFailure(error, what, ExitCode.os);
      const isKnown = this.#failure?.message === failure.message;
      this.#failure = failure;
      this.#isUnreadable = isPassing(error);
      if (!this.#isUnreadable && this.#keys.length > 0) this.#keys = [];
      return isKnown ? null : failure;
    }
  }
}
