/**
 * A reactor for a program whose main thread runs the runtime's own event loop.
 *
 * One thread of the runtime waits for all of its descriptors, because the runtime has 32 in all
 * (`max_blocking_threads` of runtime/tokio_util.rs in Deno 2.9.6). Its watchers and timers run in
 * the main thread.
 *
 * @module
 */
import { EventFd } from "../libc/event_fd.ts";
import { EPOLLIN, Reactor, type Registration } from "./reactor.ts";
import type { Timer } from "./timers.ts";

/** The one of this thread, which is closed while nothing is registered. */
let shared: BackgroundReactor | null = null;

/**
 * A reactor that runs while at least one hold is on it, and that keeps the program alive as long.
 *
 * @example
 * ```ts
 * const reactor = BackgroundReactor.shared();
 * const release = reactor.hold();
 * reactor.watch(socket, EPOLLIN, { onEvents: () => finish(release), onFault: release });
 * ```
 */
export class BackgroundReactor extends Reactor {
  /** Ends the wait of the other thread. */
  readonly #wake: EventFd;
  readonly #own: Registration;
  #holds = 0;
  #isRunning = false;
  #isWaiting = false;
  #isClosed = false;

  /** @param wake Owned by the reactor, unless this throws. */
  private constructor(wake: EventFd) {
    // Watchers report their own errors, to what waits for them.
    super(() => {});
    this.#wake = wake;
    const watcher = { onEvents: () => wake.clear(), onFault: () => {} };
    try {
      this.#own = this.watch(wake.descriptor, EPOLLIN, watcher);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * The reactor of this thread. It is closed when the last registration and the last hold have
   * ended, so the caller takes a hold or registers at once.
   *
   * @throws {SystemError} `EMFILE`, `ENFILE` or `ENOMEM`.
   */
  static shared(): BackgroundReactor {
    if (shared !== null) return shared;
    const wake = new EventFd();
    try {
      return shared = new BackgroundReactor(wake);
    } catch (error) {
      wake.descriptor.close();
      throw error;
    }
  }

  /**
   * Keeps the reactor running.
   *
   * @returns Ends the hold; a second call does nothing.
   */
  hold(): () => void {
    this.#holds++;
    if (!this.#isRunning) void this.#run();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#holds === 0) this.#interrupt();
      this.#closeUnused();
    };
  }

  override after(
    milliseconds: number,
    run: () => void,
    onFault: (() => void) | null = null,
  ): Timer {
    const timer = super.after(milliseconds, run, onFault);
    this.#interrupt();
    return timer;
  }

  override requestTurn(registration: Registration): void {
    super.requestTurn(registration);
    this.#interrupt();
  }

  override forget(registration: Registration): boolean {
    const wasCurrent = super.forget(registration);
    this.#closeUnused();
    return wasCurrent;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#holds > 0) {
        this.#isWaiting = true;
        await this.untilDue();
        this.#isWaiting = false;
        this.turn(0);
      }
    } finally {
      this.#isRunning = false;
      this.#closeUnused();
    }
  }

  #interrupt(): void {
    if (this.#isWaiting) this.#wake.raise();
  }

  #closeUnused(): void {
    // Its own registration is the one that is left.
    if (this.#isClosed || this.#isRunning || this.#holds > 0 || this.size > 1) return;
    this.#isClosed = true;
    if (shared === this) shared = null;
    this.#own.close();
    this.close();
  }
}
