/**
 * The wait for a peer's confirmation of the last bytes, before a connection is closed.
 *
 * @module
 */
import type { Reactor } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";

/** The shortest and the longest time between two checks, in milliseconds. No event reports. */
const MIN_INTERVAL_MS = 20;
const MAX_INTERVAL_MS = 250;

/** Counts how long a number of bytes has not changed, and calls a function to count them again. */
export class Confirmation {
  readonly #reactor: Reactor;
  readonly #onCheck: () => void;
  readonly #onFault: () => void;
  #pending = -1;
  #since = 0;
  #timer: Timer | null = null;

  /**
   * @param onCheck Called again and again until {@linkcode cancel}.
   * @param onFault Called when it threw.
   */
  constructor(reactor: Reactor, onCheck: () => void, onFault: () => void) {
    this.#reactor = reactor;
    this.#onCheck = onCheck;
    this.#onFault = onFault;
  }

  /**
   * Records how many bytes wait, and schedules the next check.
   *
   * @returns How long the number has been the same, in milliseconds.
   */
  record(pending: number): number {
    const now = this.#reactor.now();
    if (pending !== this.#pending) {
      this.#pending = pending;
      this.#since = now;
    }
    const unchanged = now - this.#since;
    if (this.#timer === null) {
      const interval = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, unchanged / 4));
      this.#timer = this.#reactor.after(interval, () => {
        this.#timer = null;
        this.#onCheck();
      }, this.#onFault);
    }
    return unchanged;
  }

  /** Ends the checks. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
