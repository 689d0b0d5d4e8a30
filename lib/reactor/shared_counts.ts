/**
 * Exact counts by key, in memory that threads share.
 *
 * @module
 */

/** The words before the table: how many slots are in use now, and how many of them hold a count. */
const CAPACITY = 0;
const ENTRIES = 1;
/** What keys are mixed with, so that no client can choose keys whose slots are the same. */
const SEED = 2;
const HEADER = 3;
/** The words of a slot: the two of its key, and its count; 0 where the slot is free. */
const SLOT = 3;
/** How many slots are in use at first. Memory that was never used takes no space. */
const FIRST_CAPACITY = 256;

/**
 * Counts by keys of 64 bits: a hash table with linear probing, at most half full. Each operation
 * takes the same time, whatever the number of keys. The caller holds the lock of the memory.
 */
export class SharedCounts {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param memory Of {@linkcode SharedCounts.memory}, the same in every thread. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Makes the memory. @param most How many keys may have a count at the same time. */
  static memory(most: number): SharedArrayBuffer {
    let capacity = FIRST_CAPACITY;
    while (capacity < 2 * most) capacity *= 2;
    const memory = new SharedArrayBuffer((HEADER + SLOT * capacity) * Int32Array.BYTES_PER_ELEMENT);
    const words = new Int32Array(memory);
    words[CAPACITY] = FIRST_CAPACITY;
    crypto.getRandomValues(new Int32Array(1)).forEach((seed) => words[SEED] = seed);
    return memory;
  }

  /** The count of a key. */
  get(high: number, low: number): number {
    return this.#words[this.#find(high, low) + 2]!;
  }

  /** Adds 1. @returns The count. @throws {RangeError} When there would be too many keys. */
  add(high: number, low: number): number {
    const words = this.#words;
    let slot = this.#find(high, low);
    if (words[slot + 2] === 0) {
      if (2 * (words[ENTRIES]! + 1) > words[CAPACITY]!) {
        this.#grow();
        slot = this.#find(high, low);
      }
      words[slot] = high;
      words[slot + 1] = low;
      words[ENTRIES]!++;
    }
    return ++words[slot + 2]!;
  }

  /** Subtracts 1 from a count. @returns What is left. @throws {RangeError} When it is 0. */
  subtract(high: number, low: number): number {
    const words = this.#words;
    const slot = this.#find(high, low);
    if (words[slot + 2] === 0) throw new RangeError("a count below 0");
    const left = --words[slot + 2]!;
    if (left === 0) this.#remove(slot);
    return left;
  }

  /** The first word of the slot that holds a key, or of the free one where it would be. */
  #find(high: number, low: number): number {
    const words = this.#words;
    let index = this.#home(high, low);
    for (;; index = this.#next(index)) {
      const slot = HEADER + SLOT * index;
      if (words[slot + 2] === 0) return slot;
      if (words[slot] === (high | 0) && words[slot + 1] === (low | 0)) return slot;
    }
  }

  #next(index: number): number {
    return (index + 1) & (this.#words[CAPACITY]! - 1);
  }

  /** The slot where the search for a key begins. */
  #home(high: number, low: number): number {
    let hash = this.#words[SEED]!;
    for (const word of [high, low]) {
      // The steps of MurmurHash3.
      hash = Math.imul(hash ^ word, 0xcc9e2d51);
      hash = Math.imul(hash ^ (hash >>> 15), 0x1b873593);
      hash ^= hash >>> 13;
    }
    return hash & (this.#words[CAPACITY]! - 1);
  }

  /** Frees a slot, and moves those behind it that would not be found any more. */
  #remove(slot: number): void {
    const words = this.#words;
    words[ENTRIES]!--;
    let free = (slot - HEADER) / SLOT;
    for (let index = this.#next(free);; index = this.#next(index)) {
      const moved = HEADER + SLOT * index;
      if (words[moved + 2] === 0) return;
      const home = this.#home(words[moved]!, words[moved + 1]!);
      // Where the home lies behind the free slot, as the search goes, the slot is none of its way.
      const isBehind = free <= index ? free < home && home <= index : free < home || home <= index;
      if (isBehind) continue;
      words.copyWithin(HEADER + SLOT * free, moved, moved + SLOT);
      words[moved + 2] = 0;
      free = index;
    }
  }

  /** Doubles the number of slots in use. */
  #grow(): void {
    const words = this.#words;
    const capacity = words[CAPACITY]!;
    if (HEADER + SLOT * 2 * capacity > words.length) throw new RangeError("too many counts");
    const before = words.slice(HEADER, HEADER + SLOT * capacity);
    words.fill(0, HEADER, HEADER + SLOT * capacity);
    words[CAPACITY] = 2 * capacity;
    for (let slot = 0; slot < before.length; slot += SLOT) {
      if (before[slot + 2] === 0) continue;
      words.set(before.subarray(slot, slot + SLOT), this.#find(before[slot]!, before[slot + 1]!));
    }
  }
}
