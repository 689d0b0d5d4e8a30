/**
 * The access checks in progress of all data planes: bounded together, and shared out between their
 * sources whichever plane has accepted them.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import { sourceWords } from "../net/source_network.ts";
import { SharedCounts } from "../reactor/shared_counts.ts";
import type { SharedLock } from "../reactor/shared_lock.ts";
import { ENTRY, type HandshakeData, HEADER, TO_END } from "./handshake_data.ts";
import type { EvictionReason, HandshakeQueue, QueuedHandshake } from "./handshake_queue.ts";
import { randomBelow } from "./random_set.ts";

/** How often a member of the largest source is looked for at random, before it is searched. */
const RANDOM_DRAWS = 32;

/** Where an entry stands: free, in one of the two lists, or evicted by another plane. */
const UNOPENED = 0;
const OPENED = 1;
const EVICTED = 2;
type List = typeof UNOPENED | typeof OPENED;

/** The words of an entry. */
const PLANE = 0;
const LIST = 1;
/** Its index in its list. */
const POSITION = 2;
/** Its source. */
const HIGH = 3;
const LOW = 4;
/** The next one of the free entries, or of those that its plane has to end; 0 for none. */
const NEXT = 5;

/** The words before the lists. */
const SIZE = 0;
/** The number of members of the source that has the most, by list. */
const LARGEST = 2;
const FREE = 4;
/** How many entries were ever in use. */
const USED = 5;

/**
 * The queue of one data plane, which shares its places with those of the others. The rules are
 * those of {@linkcode OwnHandshakeQueue}. What is evicted of another plane has lost its place at
 * once; that plane is woken to close it. One that ends meanwhile has left in time.
 */
export class SharedHandshakeQueue implements HandshakeQueue {
  readonly #plane: number;
  readonly #lock: SharedLock;
  readonly #limit: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #wake: (plane: number) => void;
  readonly #capacity: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #shares: readonly [SharedCounts, SharedCounts];
  /** The entries of this plane's access checks. */
  readonly #entries = new Map<QueuedHandshake, number>();
  readonly #handshakes = new Map<number, QueuedHandshake>();

  /**
   * @param plane The number of this plane, from 0.
   * @param data Of {@linkcode handshakeData}, the same in every plane.
   * @param limit How many access checks may be in progress now.
   * @param wake Makes another plane call {@linkcode endEvicted}.
   * @param onError As of {@linkcode OwnHandshakeQueue}.
   */
  constructor(
    plane: number,
    lock: SharedLock,
    { capacity, entries, shares }: HandshakeData,
    limit: () => number,
    wake: (plane: number) => void,
    onError: (error: unknown) => void,
  ) {
    this.#plane = plane;
    this.#lock = lock;
    this.#capacity = capacity;
    this.#words = new Int32Array(entries);
    this.#shares = [new SharedCounts(shares[UNOPENED]), new SharedCounts(shares[OPENED])];
    this.#limit = limit;
    this.#wake = wake;
    this.#onError = onError;
  }

  /** How many access checks are in progress, of all planes. */
  get size(): number {
    return this.#lock.run(() => this.#size);
  }

  add(handshake: QueuedHandshake): void {
    const limit = this.#limit();
    const source = sourceWords(handshake.source);
    const evicted: QueuedHandshake[] = [];
    const planes = new Set<number>();
    const entry = this.#lock.run(() => {
      while (this.#size > 0 && this.#size >= limit) {
        const victim = this.#drawFor(handshake, limit);
        const plane = this.#word(victim, PLANE);
        this.#leave(victim);
        if (plane === this.#plane) evicted.push(this.#forget(victim)!);
        else {
          this.#set(victim, LIST, EVICTED);
          this.#push(TO_END + plane, victim);
          planes.add(plane);
        }
      }
      const added = this.#allocate();
      this.#set(added, PLANE, this.#plane);
      this.#set(added, HIGH, source[0]);
      this.#set(added, LOW, source[1]);
      this.#enter(added, handshake.hasOpened ? OPENED : UNOPENED);
      return added;
    });
    this.#entries.set(handshake, entry);
    this.#handshakes.set(entry, handshake);
    planes.forEach(this.#wake);
    this.#evict(evicted, "over-limit");
  }

  markOpened(handshake: QueuedHandshake): void {
    const entry = this.#entries.get(handshake);
    if (entry === undefined) return;
    this.#lock.run(() => {
      if (this.#word(entry, LIST) !== UNOPENED) return;
      this.#leave(entry);
      this.#enter(entry, OPENED);
    });
  }

  remove(handshake: QueuedHandshake): void {
    const entry = this.#entries.get(handshake);
    if (entry === undefined) return;
    this.#lock.run(() => {
      // One that another plane has evicted is freed by endEvicted().
      if (this.#word(entry, LIST) === EVICTED) return;
      this.#leave(entry);
      this.#push(FREE, entry);
    });
    this.#entries.delete(handshake);
    this.#handshakes.delete(entry);
  }

  clear(): void {
    const all = [...this.#entries.keys()];
    all.forEach((one) => this.remove(one));
    this.#evict(all, "handshake-timeout");
  }

  /** Ends the access checks of this plane that others have evicted. */
  endEvicted(): void {
    const evicted: QueuedHandshake[] = [];
    this.#lock.run(() => {
      const first = TO_END + this.#plane;
      for (let entry = this.#words[first]!; entry !== 0; entry = this.#words[first]!) {
        this.#words[first] = this.#word(entry, NEXT);
        const handshake = this.#forget(entry);
        if (handshake !== null) evicted.push(handshake);
      }
    });
    this.#evict(evicted, "over-limit");
  }

  #evict(handshakes: readonly QueuedHandshake[], reason: EvictionReason): void {
    guardEach(handshakes, (one) => one.evict(reason), this.#onError);
  }

  /** Frees an entry of this plane. @returns Its access check; null where it has ended. */
  #forget(entry: number): QueuedHandshake | null {
    this.#push(FREE, entry);
    const handshake = this.#handshakes.get(entry);
    if (handshake === undefined) return null;
    this.#handshakes.delete(entry);
    this.#entries.delete(handshake);
    return handshake;
  }

  // What follows is called under the lock.

  get #size(): number {
    return this.#words[SIZE + UNOPENED]! + this.#words[SIZE + OPENED]!;
  }

  /** The entry that gives way to an access check, by the rules of the queue. */
  #drawFor({ hasOpened }: QueuedHandshake, limit: number): number {
    const opened = this.#words[SIZE + OPENED]!;
    // Where none of the full queue is unopened, they are more than half of it.
    const isFromOpened = opened > 0 && 2 * (opened + (hasOpened ? 1 : 0)) > limit;
    return this.#drawFromLargest(isFromOpened ? OPENED : UNOPENED);
  }

  /** A random member of a source that has the most of them. */
  #drawFromLargest(list: List): number {
    const size = this.#words[SIZE + list]!;
    const isLargest = (entry: number) =>
      this.#shares[list].get(this.#word(entry, HIGH), this.#word(entry, LOW)) ===
        this.#words[LARGEST + list];
    for (let draw = 0; draw < RANDOM_DRAWS; draw++) {
      const drawn = this.#words[this.#listed(list, randomBelow(size))]!;
      if (isLargest(drawn)) return drawn;
    }
    // The largest source has a small part of the list.
    const start = randomBelow(size);
    for (let index = 0; index < size; index++) {
      const entry = this.#words[this.#listed(list, (start + index) % size)]!;
      if (isLargest(entry)) return entry;
    }
    throw new Error("a full queue of access checks is empty");
  }

  #enter(entry: number, list: List): void {
    const position = this.#words[SIZE + list]!++;
    this.#words[this.#listed(list, position)] = entry;
    this.#set(entry, LIST, list);
    this.#set(entry, POSITION, position);
    const count = this.#shares[list].add(this.#word(entry, HIGH), this.#word(entry, LOW));
    this.#count(list, count - 1, count);
  }

  /** Takes an entry out of its list. */
  #leave(entry: number): void {
    const list = this.#word(entry, LIST) as List;
    const position = this.#word(entry, POSITION);
    const last = this.#words[this.#listed(list, --this.#words[SIZE + list]!)]!;
    this.#words[this.#listed(list, position)] = last;
    this.#set(last, POSITION, position);
    const count = this.#shares[list].subtract(this.#word(entry, HIGH), this.#word(entry, LOW));
    this.#count(list, count + 1, count);
  }

  /** A source has gained or lost one member, so the largest share changes by one. */
  #count(list: List, before: number, now: number): void {
    const words = this.#words;
    if (before > 0) words[this.#sources(list, before)]!--;
    if (now > 0) words[this.#sources(list, now)]!++;
    const largest = words[LARGEST + list]!;
    if (now > largest || before === largest && words[this.#sources(list, before)] === 0) {
      words[LARGEST + list] = now;
    }
  }

  /** @throws {RangeError} When there are more access checks than there may ever be. */
  #allocate(): number {
    const free = this.#words[FREE]!;
    if (free !== 0) {
      this.#words[FREE] = this.#word(free, NEXT);
      return free;
    }
    if (this.#words[USED] === this.#capacity) throw new RangeError("too many access checks");
    return ++this.#words[USED]!;
  }

  /** Puts an entry in front of a list of entries. */
  #push(first: number, entry: number): void {
    this.#set(entry, NEXT, this.#words[first]!);
    this.#words[first] = entry;
  }

  /** The word that holds the entry at an index of a list. */
  #listed(list: List, index: number): number {
    return HEADER + list * this.#capacity + index;
  }

  /** The word that holds the number of sources with so many members in a list. */
  #sources(list: List, count: number): number {
    return HEADER + 2 * this.#capacity + list * (this.#capacity + 1) + count;
  }

  #word(entry: number, word: number): number {
    return this.#words[this.#offset(entry) + word]!;
  }

  #set(entry: number, word: number, value: number): void {
    this.#words[this.#offset(entry) + word] = value;
  }

  #offset(entry: number): number {
    return HEADER + 4 * this.#capacity + 2 + ENTRY * entry;
  }
}
