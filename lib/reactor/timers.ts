/**
 * Timers, in a binary heap.
 *
 * @module
 */

import { guardEach } from "../errors.ts";

/** How many cancelled timers the heap may hold before they are removed. */
const MAX_CANCELLED = 64;

/**
 * The longest time that a timer of the runtime or `epoll_wait(2)` takes, in milliseconds: 31 bits,
 * almost 25 days. A longer one would be over at once.
 */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A time that a timer takes: a sum of configured times may exceed what each of them may be. */
export function boundedDelay(milliseconds: number): number {
  return Math.min(milliseconds, MAX_DELAY_MS);
}

/** A function that runs once, at a time. */
export class Timer {
  /** Milliseconds on the reactor's clock. */
  readonly due: number;
  #run: (() => void) | null;
  /** Releases what the function was to end, where it threw. */
  readonly onFault: (() => void) | null;
  readonly #onCancel: () => void;

  constructor(
    due: number,
    run: () => void,
    onFault: (() => void) | null,
    onCancel: () => void,
  ) {
    this.due = due;
    this.#run = run;
    this.onFault = onFault;
    this.#onCancel = onCancel;
  }

  /** Whether it has fired or was cancelled. */
  get settled(): boolean {
    return this.#run === null;
  }

  /** Runs the function, unless the timer is settled. */
  fire(): void {
    const run = this.#run;
    this.#run = null;
    run?.();
  }

  /** Cancels the timer; it never fires then. */
  cancel(): void {
    if (this.#run === null) return;
    this.#run = null;
    this.#onCancel();
  }
}

/** Timers in the order of their times. */
export class Timers {
  #heap: Timer[] = [];
  /** About how many timers of the heap are cancelled. */
  #cancelled = 0;
  readonly #countCancelled = () => this.#removeCancelled();

  /** The size of the heap: the active timers and at most about as many cancelled ones. */
  get size(): number {
    return this.#heap.length;
  }

  /** The number of timers that have not fired. */
  get active(): number {
    return this.#heap.filter(({ settled }) => !settled).length;
  }

  /**
   * Adds a timer.
   *
   * @param due Milliseconds on the clock that is passed to {@linkcode runDue}.
   * @param run The function to run.
   * @param onFault Called when it threw.
   */
  add(due: number, run: () => void, onFault: (() => void) | null = null): Timer {
    const timer = new Timer(due, run, onFault, this.#countCancelled);
    this.#insert(timer);
    return timer;
  }

  /**
   * The time until the next timer.
   *
   * @param now Milliseconds on the same clock.
   * @returns Whole milliseconds, rounded up so that it never fires early; −1 without a timer.
   */
  timeout(now: number): number {
    while (this.#heap[0]?.settled) this.#pop();
    const next = this.#heap[0];
    return next === undefined ? -1 : boundedDelay(Math.max(0, Math.ceil(next.due - now)));
  }

  /** Whether a timer has been due for longer than a time, in milliseconds. */
  areLate(now: number, milliseconds: number): boolean {
    const next = this.#heap[0];
    return next !== undefined && now - next.due > milliseconds;
  }

  /**
   * Fires every timer that is due. A timer added meanwhile waits for the next call.
   *
   * @param report Receives what a function threw; the other timers still fire.
   */
  runDue(now: number, report: (error: unknown) => void): void {
    const due: Timer[] = [];
    while (this.#heap[0] !== undefined && this.#heap[0].due <= now) due.push(this.#pop());
    for (const timer of due) {
      try {
        timer.fire();
      } catch (error) {
        const errors = [error];
        guardEach([timer.onFault], (release) => release?.(), (second) => errors.push(second));
        errors.forEach((one) => report(one));
      }
    }
  }

  #insert(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(timer);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]!.due <= timer.due) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = timer;
  }

  /** Counts a cancelled timer, whose time may be hours away, and removes many of them at once. */
  #removeCancelled(): void {
    this.#cancelled++;
    if (this.#cancelled < MAX_CANCELLED || this.#cancelled * 2 < this.#heap.length) return;
    const waiting = this.#heap.filter(({ settled }) => !settled);
    this.#heap = [];
    this.#cancelled = 0;
    for (const timer of waiting) this.#insert(timer);
  }

  #pop(): Timer {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.due < heap[child]!.due) child++;
      if (heap[child]!.due >= last.due) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}
