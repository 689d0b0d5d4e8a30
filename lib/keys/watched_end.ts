/**
 * The end of a key that is never older than its file.
 *
 * @module
 */
import { Failure } from "../errors.ts";
import type { DescriptorReserve } from "../files/descriptor_reserve.ts";
import { FileWatch } from "../files/file_watch.ts";
import { isPassing } from "../files/system_reason.ts";
import { PathStat } from "../libc/path_stat.ts";
import { readKeyEnd, unreadableEnd } from "./key_directory.ts";

/** The end of a key that is expired. */
const EXPIRED = 0;

/** What was read: a time, or why the key counts as expired. */
type Content = number | Failure;

/** A file with the end of a key, and the time that it held at the last {@linkcode refresh}. */
export class WatchedEnd {
  readonly #path: string;
  readonly #reserve: DescriptorReserve | null;
  readonly #watch: FileWatch<Content>;
  #time: number | null = null;
  #wait = 0;
  #isUnreadable = false;

  /** The parameters are those of a key's `WatchedKey`. */
  constructor(path: string, ownUid: number, reserve: DescriptorReserve | null = null) {
    this.#path = path;
    this.#reserve = reserve;
    this.#watch = new FileWatch<Content>([new PathStat(path)], {
      read: () => readContent(path, ownUid),
      isSame: (one, other) => text(one) === text(other),
    });
  }

  /**
   * Milliseconds since the epoch; {@linkcode EXPIRED} where the file holds no time. Null while a
   * file that has just been made is written: nothing new is decided then, and no session ends.
   */
  get time(): number | null {
    return this.#time;
  }

  /** As that of a key. */
  get wait(): number {
    return this.#wait;
  }

  /** As that of a key: its time is the former one then. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /** As that of a key. */
  get isRestless(): boolean {
    return this.#isUnreadable || this.#wait > 0 || !this.#watch.isTrusted;
  }

  /** Reads the file where it may have changed. @returns Why the key is expired, once; else null. */
  refresh(): Failure | null {
    this.#wait = 0;
    const poll = () => this.#watch.poll();
    try {
      const result = this.#reserve === null ? poll() : this.#reserve.use(poll);
      this.#isUnreadable = false;
      if (result.kind === "unsettled") this.#wait = result.wait;
      if (result.kind === "restless") this.#time ??= EXPIRED;
      if (result.kind !== "read") return null;
      const { content } = result;
      this.#time = content instanceof Failure ? EXPIRED : content;
      return content instanceof Failure ? content : null;
    } catch (error) {
      const isKnown = this.#isUnreadable;
      this.#isUnreadable = true;
      return isKnown ? null : unreadableEnd(this.#path, error);
    }
  }
}

function readContent(path: string, ownUid: number): Content {
  try {
    return readKeyEnd(path, ownUid);
  } catch (error) {
    if (isPassing(error)) throw error;
    return unreadableEnd(path, error);
  }
}

function text(content: Content): string {
  return content instanceof Failure ? content.message : `${content}`;
}
