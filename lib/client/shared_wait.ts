/**
 * Waiting for one connection, beside any number of others, in one thread for all of them.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { BackgroundReactor } from "../reactor/background_reactor.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLONESHOT,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";

/** The waits for a descriptor: at most one to read and one to write. */
export class SharedWait implements Watcher {
  readonly #reactor: BackgroundReactor;
  readonly #registration: Registration;
  readonly #waits = new Map<number, () => void>();
  #release: (() => void) | null = null;

  /**
   * @param descriptor Owned from now on, also when this throws.
   * @throws {SystemError} When the kernel cannot watch it.
   */
  constructor(descriptor: Descriptor) {
    try {
      this.#reactor = BackgroundReactor.shared();
    } catch (error) {
      descriptor.close();
      throw error;
    }
    this.#registration = this.#reactor.watch(descriptor, EPOLLONESHOT, this);
  }

  /**
   * Waits until the descriptor can be read or written without blocking, has an error, or is closed.
   *
   * @param direction `EPOLLIN`, which is `POLLIN` of `poll(2)`, or `EPOLLOUT`, which is `POLLOUT`.
   * @param limitMs The longest wait, in milliseconds; −1 for none.
   */
  async until(direction: number, limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waits.set(direction, resolve);
    this.#release ??= this.#reactor.hold();
    this.#registration.update(this.#mask);
    if (limitMs < 0) return await promise;
    const timer = this.#reactor.after(limitMs, () => this.#end(direction));
    try {
      await promise;
    } finally {
      timer.cancel();
    }
  }

  onEvents(mask: number): void {
    const broken = (mask & (EPOLLERR | EPOLLHUP)) !== 0;
    for (const direction of [...this.#waits.keys()]) {
      if (broken || (mask & direction) !== 0) this.#end(direction);
    }
    if (this.#waits.size > 0) this.#registration.update(this.#mask);
  }

  onFault(): void {
    this.close();
  }

  /** Closes the descriptor, and ends the waits. */
  close(): void {
    this.#registration.close();
    for (const direction of [...this.#waits.keys()]) this.#end(direction);
  }

  get #mask(): number {
    return [...this.#waits.keys()].reduce((mask, direction) => mask | direction, EPOLLONESHOT);
  }

  #end(direction: number): void {
    const resolve = this.#waits.get(direction);
    this.#waits.delete(direction);
    resolve?.();
    if (this.#waits.size > 0) return;
    this.#release?.();
    this.#release = null;
  }
}
