/**
 * Deadlines, kept in a binary heap.
 *
 * @module
 */

/** How many cancelled deadlines may lie about before it is worth looking for them. */
const FEW = 64;

/** A moment at which something is to be done, once. */
export class Timer {
  /** Milliseconds on the reactor's clock. */
  readonly due: number;
  #run: (() => void) | null;
  readonly #onCancel: () => void;

  constructor(due: number, run: () => void, onCancel: () => void) {
    this.due = due;
    this.#run = run;
    this.#onCancel = onCancel;
  }

  /** Whether nothing will be done any more: it was done, or it was cancelled. */
  get settled(): boolean {
    return this.#run === null;
  }

  /** Does it, unless that is over. */
  fire(): void {
    const run = this.#run;
    this.#run = null;
    run?.();
  }

  /** Sees to it that nothing is done. */
  cancel(): void {
    if (this.#run === null) return;
    this.#run = null;
    this.#onCancel();
  }
}

/** Timers in the order of their deadlines. */
export class Timers {
  #heap: Timer[] = [];
  /** About how many of them are cancelled. */
  #cancelled = 0;
  readonly #noteCancelled = () => this.#tidy();

  /** How many are waiting; of cancelled ones never more than as many again, and a few. */
  get size(): number {
    return this.#heap.length;
  }

  /** How many of them have still something to do. */
  get active(): number {
    return this.#heap.filter(({ settled }) => !settled).length;
  }

  /**
   * Adds a deadline.
   *
   * @param due Milliseconds on the clock that is later given to {@linkcode runDue}.
   * @param run What to do then.
   */
  add(due: number, run: () => void): Timer {
    const timer = new Timer(due, run, this.#noteCancelled);
    this.#insert(timer);
    return timer;
  }

  /**
   * How long until the next deadline.
   *
   * @param now The clock.
   * @returns Whole milliseconds, rounded up so that waking is never too early; −1 when none waits.
   */
  timeout(now: number): number {
    while (this.#heap[0]?.settled) this.#pop();
    const next = this.#heap[0];
    return next === undefined ? -1 : Math.max(0, Math.ceil(next.due - now));
  }

  /**
   * Runs everything that is due. What a run adds waits for the next call.
   *
   * @param onFault Hears of a run that threw; the others are run all the same.
   */
  runDue(now: number, onFault: (error: unknown) => void): void {
    const due: Timer[] = [];
    while (this.#heap[0] !== undefined && this.#heap[0].due <= now) due.push(this.#pop());
    for (const timer of due) {
      try {
        timer.fire();
      } catch (error) {
        onFault(error);
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

  /** One more is cancelled. Most of them never come to their moment, which may be hours away. */
  #tidy(): void {
    this.#cancelled++;
    if (this.#cancelled < FEW || this.#cancelled * 2 < this.#heap.length) return;
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
