/**
 * The time that the end of a key is compared with.
 *
 * @module
 */
import { sinceBoot } from "../libc/clock.ts";

/**
 * The time of day that never goes back: where the machine's clock is set back, this one goes on
 * from the latest time that it has shown, so that no expired key becomes valid again. It begins
 * anew with the process.
 *
 * @example
 * ```ts
 * const clock = new ExpiryClock();
 * const isExpired = clock.now() >= grant.notAfter;
 * ```
 */
export class ExpiryClock {
  readonly #wall: () => number;
  readonly #elapsed: () => number;
  /** The latest time shown, and when that was on the clock that cannot be set. */
  #latest: number;
  #at: number;

  /**
   * @param wall Milliseconds since the epoch; root may set this clock.
   * @param elapsed Milliseconds on a clock that only goes on.
   */
  constructor(wall: () => number = () => Date.now(), elapsed: () => number = sinceBoot) {
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#latest = wall();
    this.#at = elapsed();
  }

  /** Milliseconds since the epoch. To be called regularly, so that no time is missed. */
  now(): number {
    const elapsed = this.#elapsed();
    this.#latest = Math.max(this.#wall(), this.#latest + elapsed - this.#at);
    this.#at = elapsed;
    return this.#latest;
  }
}
