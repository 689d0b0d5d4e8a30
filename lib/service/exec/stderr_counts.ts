/**
 * What the standard error of programs has taken of the log, of one data plane or of all.
 *
 * What was taken is kept as the time at which all of it will be available again, in milliseconds:
 * one number for each user, which is in the past where nothing was taken lately.
 *
 * @module
 */
import { SharedLock } from "../../reactor/shared_lock.ts";

/** Bytes that become available over time. */
interface Rate {
  readonly perSecond: number;
  /** How many there are at once, after a pause. */
  readonly most: number;
}

/** How many bytes of the log the programs of one user may take. */
const USER: Rate = { perSecond: 64 * 1024, most: 1024 * 1024 };
/** The same for all users together. */
const TOTAL: Rate = { perSecond: 256 * 1024, most: 4 * 1024 * 1024 };

/** Counts bytes of the log, as of a time in milliseconds on a clock that is never set back. */
export interface StderrCounts {
  /** Whether a user, and all together, have more than a number of bytes left; it may be below 0. */
  leaves(user: string, least: number, now: number): boolean;
  /** Counts bytes. */
  spend(user: string, bytes: number, now: number): void;
  /** Forgets the users that have all their bytes again. */
  forgetFull(now: number): void;
}

function left({ perSecond, most }: Rate, fullAt: number, now: number): number {
  return most - Math.max(0, fullAt - now) * perSecond / 1_000;
}

function afterSpending({ perSecond }: Rate, fullAt: number, bytes: number, now: number): number {
  return Math.max(fullAt, now) + bytes * 1_000 / perSecond;
}

/** The counts of the only data plane. */
export class OwnStderrCounts implements StderrCounts {
  #total = 0;
  readonly #users = new Map<string, number>();

  leaves(user: string, least: number, now: number): boolean {
    // Who is not here has spent nothing.
    const fullAt = this.#users.get(user) ?? -Infinity;
    return left(TOTAL, this.#total, now) > least && left(USER, fullAt, now) > least;
  }

  spend(user: string, bytes: number, now: number): void {
    this.#total = afterSpending(TOTAL, this.#total, bytes, now);
    const fullAt = this.#users.get(user) ?? -Infinity;
    this.#users.set(user, afterSpending(USER, fullAt, bytes, now));
  }

  forgetFull(now: number): void {
    for (const [user, fullAt] of this.#users) if (fullAt <= now) this.#users.delete(user);
  }
}

/** The memory that {@linkcode SharedStderrCounts} share. */
export interface StderrData {
  readonly lock: SharedArrayBuffer;
  /** The time of all together, and then for each slot a hash of its user and the time. */
  readonly times: SharedArrayBuffer;
  /** What hashes begin with, so that no one can choose names that have the same. */
  readonly seed: number;
}

const SLOTS = 4096;
/** In how many slots a user may be. */
const WINDOW = 16;

/**
 * The counts of all data planes. A slot whose user has all bytes again is free. Where no slot is
 * left for a user, which takes thousands that write at the same time, two users share one.
 */
export class SharedStderrCounts implements StderrCounts {
  readonly #lock: SharedLock;
  readonly #times: Float64Array<SharedArrayBuffer>;
  readonly #seed: number;

  /** @param data Of {@linkcode SharedStderrCounts.data}, the same in every data plane. */
  constructor({ lock, times, seed }: StderrData) {
    this.#lock = new SharedLock(lock);
    this.#times = new Float64Array(times);
    this.#seed = seed;
  }

  /** Makes the memory. */
  static data(): StderrData {
    const [seed = 0] = crypto.getRandomValues(new Int32Array(1));
    const bytes = (1 + 2 * SLOTS) * Float64Array.BYTES_PER_ELEMENT;
    return { lock: SharedLock.memory(), times: new SharedArrayBuffer(bytes), seed };
  }

  leaves(user: string, least: number, now: number): boolean {
    return this.#lock.run(() => {
      const slot = this.#find(user, now);
      const fullAt = this.#isFree(slot, now) ? now : this.#times[slot + 1]!;
      return left(TOTAL, this.#times[0]!, now) > least && left(USER, fullAt, now) > least;
    });
  }

  spend(user: string, bytes: number, now: number): void {
    this.#lock.run(() => {
      const times = this.#times;
      times[0] = afterSpending(TOTAL, times[0]!, bytes, now);
      const slot = this.#find(user, now);
      if (this.#isFree(slot, now)) times[slot] = this.#hash(user);
      times[slot + 1] = afterSpending(USER, times[slot + 1]!, bytes, now);
    });
  }

  forgetFull(): void {
    // Their slots are free.
  }

  /** The slot of a user, or a free one, or else the last one where it could be. */
  #find(user: string, now: number): number {
    const hash = this.#hash(user);
    let free = -1;
    let slot = 0;
    for (let step = 0; step < WINDOW; step++) {
      slot = 1 + 2 * ((hash + step) % SLOTS);
      if (this.#isFree(slot, now)) {
        if (free < 0) free = slot;
      } else if (this.#times[slot] === hash) return slot;
    }
    return free < 0 ? slot : free;
  }

  #isFree(slot: number, now: number): boolean {
    return this.#times[slot + 1]! <= now;
  }

  /** A whole number below 2^53. */
  #hash(text: string): number {
    let [one, other] = [this.#seed, ~this.#seed];
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      // The multipliers of MurmurHash3.
      one = Math.imul(one ^ code, 0xcc9e2d51);
      one ^= one >>> 15;
      other = Math.imul(other ^ code, 0x1b873593);
      other ^= other >>> 13;
    }
    return (one >>> 11) * 2 ** 32 + (other >>> 0);
  }
}
