/**
 * When the content of a file may be relied on: whether the file has changed since it was read, and
 * whether it is being written.
 *
 * @module
 */
import type { PathStat } from "../libc/path_stat.ts";
import { isPassing } from "./system_reason.ts";

/**
 * How long a file that was changed in place has to be still before it is read, in milliseconds. A
 * half of a file is no content.
 */
export const STILL_MS = 50;
/** How long a file that does not come to rest is waited for, in milliseconds. */
export const MAX_WAIT_MS = 1_000;
/** How often a file that is replaced while it is read is read again. */
const MAX_READ_ATTEMPTS = 3;

/** What a watch needs of a {@linkcode PathStat}. */
export type WatchedStatus = Pick<
  PathStat,
  "update" | "exists" | "failure" | "isReplaced" | "isBeingWritten" | "granularity"
>;

/** What a watch knows of the content. */
export type WatchResult<Content> =
  /** It is the one of the last `read`. */
  | { readonly kind: "same" }
  /** It is this one now, which is at rest. */
  | { readonly kind: "read"; readonly content: Content }
  /** The file is being written. The caller waits so many milliseconds and polls again. */
  | { readonly kind: "unsettled"; readonly wait: number }
  /** The file has been written for {@linkcode MAX_WAIT_MS}. Nothing new is known of it. */
  | { readonly kind: "restless" };

/** Reads a file, and compares what was read. */
export interface WatchedSource<Content> {
  /**
   * Reads the file. A file that is missing or bad is a content, too.
   *
   * @throws When it cannot be known what the file holds.
   */
  read(): Content;
  isSame(one: Content, other: Content): boolean;
  /** Called with a content that nothing refers to any more. */
  discard?(content: Content): void;
}

/** A change that has not come to rest. */
interface Change<Content> {
  /** When it was first seen. */
  readonly since: number;
  /** When the file was last seen to be another than before. */
  readonly movedAt: number;
  /** What it held then; null where it changed while it was read. */
  readonly seen: { readonly content: Content } | null;
}

type Movement = "none" | "replaced" | "in place";

const SAME = { kind: "same" } as const;
const RESTLESS = { kind: "restless" } as const;

/**
 * Watches the paths that a content is read from.
 *
 * A stat that is equal to the one before means an unchanged file only where a later change would
 * have another time stamp. The clock of the time stamps may be another machine's, and may count
 * whole seconds. So no clock is compared with it: the content is compared once more after the
 * {@linkcode PathStat.granularity} of the stamps has passed on this machine's monotonic clock, and
 * until then at every poll. From then on the stat is enough, unless a process has the file open for
 * writing: only the first store to a page of a mapping changes the stamps (mmap(2)).
 *
 * Another file under the name (renamed into place, or behind another link) is read at once, unless
 * a process has it open for writing. Every other change may be half done: the content is taken when
 * it was the same for {@linkcode STILL_MS}, and for {@linkcode MAX_WAIT_MS} while a process still
 * has the file open for writing. A change whose content is the one that is known already needs no
 * wait.
 *
 * @example
 * ```ts
 * const watch = new FileWatch([new PathStat("/etc/ipcauth/ipc.key")], {
 *   read: () => Deno.readTextFileSync("/etc/ipcauth/ipc.key"),
 *   isSame: (one, other) => one === other,
 * });
 * // Each time the content is needed:
 * const result = watch.poll();
 * if (result.kind === "read") use(result.content);
 * if (result.kind === "unsettled") setTimeout(again, result.wait);
 * ```
 */
export class FileWatch<Content> {
  readonly #stats: readonly WatchedStatus[];
  readonly #source: WatchedSource<Content>;
  readonly #now: () => number;
  #known: { readonly content: Content } | null = null;
  #change: Change<Content> | null = null;
  /** How the file has changed since the last read that succeeded. */
  #unread: Movement = "in place";
  /** When the content was first read with the stats that it has now. */
  #firstReadAt = 0;
  /** Not to be relied on while there is a change. */
  #isTrusted = false;
  #isRestless = false;

  /**
   * @param stats The paths, in the order in which the source tries them: one behind the first that
   * exists does not keep the content from being known.
   * @param now A monotonic clock in milliseconds.
   */
  constructor(
    stats: readonly WatchedStatus[],
    source: WatchedSource<Content>,
    now: () => number = () => performance.now(),
  ) {
    this.#stats = stats;
    this.#source = source;
    this.#now = now;
  }

  /**
   * Makes the content current. An unchanged file costs one `statx(2)` a path. The first call reads
   * the file, and waits only where a process has it open for writing.
   *
   * @param force Whether the content is compared although the stats are equal: it may depend on
   * more than the file.
   * @throws {SystemError} When a path cannot be looked at at the moment: what was read could change
   * unnoticed. The next call looks again.
   * @throws What the source's `read` throws. The next call reads again.
   */
  poll(force: boolean = false): WatchResult<Content> {
    const movement = this.#movement();
    if (movement !== "none") this.#unread = movement;
    else if (this.#unread === "none") {
      const change = this.#change;
      if (change === null) {
        if (this.#isTrusted && !force) return SAME;
      } else {
        const now = this.#now();
        // Nothing is taken that has not been still for so long.
        if (now < change.movedAt + STILL_MS) return this.#wait(change, now);
      }
    }
    return this.#read();
  }

  /**
   * Whether the stats alone say so when the content changes: no change is waited for, and a later
   * one would have other time stamps.
   */
  get isTrusted(): boolean {
    return this.#isTrusted && this.#change === null && this.#unread === "none";
  }

  #read(): WatchResult<Content> {
    for (let attempt = 1;; attempt++) {
      const now = this.#now();
      this.#requireStates();
      const content = this.#source.read();
      const meanwhile = this.#movement();
      if (meanwhile === "none") {
        const movement = this.#unread;
        this.#unread = "none";
        return this.#take(content, movement, now);
      }
      // Read between two different stats, it may be half old and half new.
      this.#source.discard?.(content);
      this.#unread = meanwhile;
      if (meanwhile === "in place" || attempt === MAX_READ_ATTEMPTS) return this.#moved(null, now);
    }
  }

  #take(content: Content, movement: Movement, now: number): WatchResult<Content> {
    const isSame = (other: { readonly content: Content } | null) =>
      other !== null && this.#source.isSame(content, other.content);
    const isStill = movement === "none" && isSame(this.#change?.seen ?? this.#known);
    if (!isStill) this.#firstReadAt = now;
    this.#isTrusted = isStill && now >= this.#firstReadAt + this.#granularity() &&
      !this.#isBeingWritten();
    if (isSame(this.#known)) {
      this.#source.discard?.(content);
      return this.#rest();
    }
    const isAtRest = this.#change === null
      ? movement === "replaced" || this.#known === null && !this.#isBeingWritten()
      : movement === "replaced" || isStill && this.#hasComeToRest(this.#change, now);
    if (isAtRest) return this.#adopt(content);
    if (!isStill) return this.#moved({ content }, now);
    this.#source.discard?.(content);
    return this.#wait(this.#change!, now);
  }

  /** Whether a writer that pauses has no part to add, or has had the time to. */
  #hasComeToRest({ movedAt }: Change<Content>, now: number): boolean {
    return now >= movedAt + MAX_WAIT_MS || !this.#isBeingWritten();
  }

  /** The file holds what is known already. */
  #rest(): WatchResult<Content> {
    const wasRestless = this.#isRestless;
    this.#forgetChange();
    return wasRestless && this.#known !== null ? { kind: "read", ...this.#known } : SAME;
  }

  #adopt(content: Content): WatchResult<Content> {
    this.#forgetChange();
    this.#known = { content };
    return { kind: "read", content };
  }

  /** The file is another than it was a moment ago, and may be another in a moment. */
  #moved(seen: { readonly content: Content } | null, now: number): WatchResult<Content> {
    const since = this.#change?.since ?? now;
    this.#discardSeen();
    this.#change = { since, movedAt: now, seen };
    return this.#wait(this.#change, now);
  }

  #wait({ since, movedAt }: Change<Content>, now: number): WatchResult<Content> {
    if (now >= since + MAX_WAIT_MS) {
      this.#isRestless = true;
      return RESTLESS;
    }
    // A still file that is open for writing is looked at again as often.
    const next = now < movedAt + STILL_MS ? movedAt + STILL_MS : now + STILL_MS;
    const until = Math.min(next, since + MAX_WAIT_MS);
    // The sum of two times may be a little more than their difference from now.
    const wait = Math.min(STILL_MS, Math.ceil(until - now));
    return { kind: "unsettled", wait: Math.max(1, wait) };
  }

  #forgetChange(): void {
    this.#discardSeen();
    this.#change = null;
    this.#isRestless = false;
  }

  #discardSeen(): void {
    const seen = this.#change?.seen;
    if (seen) this.#source.discard?.(seen.content);
  }

  /** Takes the stat of every path. */
  #movement(): Movement {
    let movement: Movement = "none";
    // Without an iterator: each connection comes here.
    for (let index = 0; index < this.#stats.length; index++) {
      const stat = this.#stats[index]!;
      if (!stat.update()) continue;
      // Another file may have been made under the name, and not been renamed to it.
      if (!stat.isReplaced || stat.isBeingWritten) movement = "in place";
      else if (movement === "none") movement = "replaced";
    }
    return movement;
  }

  /** @throws {SystemError} When the state of a path that decides is not known. */
  #requireStates(): void {
    for (const stat of this.#stats) {
      if (stat.exists) return;
      const { failure } = stat;
      if (isPassing(failure)) throw failure;
    }
  }

  #isBeingWritten(): boolean {
    return this.#stats.some((stat) => stat.isBeingWritten);
  }

  #granularity(): number {
    let granularity = 0;
    for (const stat of this.#stats) {
      if (stat.exists) granularity = Math.max(granularity, stat.granularity);
    }
    return granularity;
  }
}
