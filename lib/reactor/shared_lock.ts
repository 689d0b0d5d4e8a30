/**
 * Mutual exclusion between threads, in memory that they share.
 *
 * @module
 */

const FREE = 0;
const HELD = 1;
/** Held, and another thread may wait for it. */
const AWAITED = 2;

/**
 * A lock that one thread holds at a time ("Mutex, take 2" of Ulrich Drepper, "Futexes Are Tricky").
 * Not for the main thread, which must not block. A free lock costs no system call.
 */
export class SharedLock {
  readonly #state: Int32Array<SharedArrayBuffer>;

  /** @param memory Of {@linkcode SharedLock.memory}, the same in every thread. */
  constructor(memory: SharedArrayBuffer) {
    this.#state = new Int32Array(memory);
  }

  /** Makes the memory of a lock. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  }

  /** Runs an action while no other thread runs one under this lock. It must not take it again. */
  run<T>(action: () => T): T {
    this.#acquire();
    try {
      return action();
    } finally {
      if (Atomics.exchange(this.#state, 0, FREE) === AWAITED) Atomics.notify(this.#state, 0, 1);
    }
  }

  #acquire(): void {
    if (Atomics.compareExchange(this.#state, 0, FREE, HELD) === FREE) return;
    while (Atomics.exchange(this.#state, 0, AWAITED) !== FREE) {
      Atomics.wait(this.#state, 0, AWAITED);
    }
  }
}
