/**
 * One synchronous loop over `epoll(7)` that carries every connection of a thread.
 *
 * An event names a slot of the table of watchers and the slot's generation. Closing a connection
 * ends its generation, so an event of the same batch for the old connection is dropped, even where
 * the kernel has given its descriptor number to a new one.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { Epoll, EPOLLEXCLUSIVE } from "../libc/epoll.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { type Timer, Timers } from "./timers.ts";

export {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../libc/epoll.ts";

/** The most events of one call of `epoll_wait(2)`. */
const MAX_EVENTS = 512;
/** A timer that is later than this, in milliseconds, waits for what has come before. */
const LATE_MS = 100;
/** How often more events are asked for before late timers fire. */
const MAX_LOOKS = 16;

/** Receives the events of a descriptor. */
export interface Watcher {
  /** @param mask The events, such as `EPOLLIN`; 0 for a turn that was requested. */
  onEvents(mask: number): void;

  /**
   * Called when {@linkcode onEvents} threw, which is an internal error: the watcher releases what
   * it owns, and ends the session it belongs to. The reactor reports the error; other connections
   * are not affected. Where this throws as well, the registration is closed.
   */
  onFault(error: unknown): void;
}

/** A descriptor in the epoll set, owned by the registration. */
export class Registration {
  readonly #reactor: Reactor;
  readonly #descriptor: Descriptor;
  readonly watcher: Watcher;
  readonly slot: number;
  readonly generation: number;
  /** Whether a turn was requested and has not come yet. */
  awaitsTurn = false;

  /** Created by {@linkcode Reactor.watch}. */
  constructor(
    reactor: Reactor,
    descriptor: Descriptor,
    watcher: Watcher,
    slot: number,
    generation: number,
  ) {
    this.#reactor = reactor;
    this.#descriptor = descriptor;
    this.watcher = watcher;
    this.slot = slot;
    this.generation = generation;
  }

  /** The descriptor, to be used during one call. */
  get descriptor(): Descriptor {
    return this.#descriptor;
  }

  /** Changes the events that are reported. */
  update(mask: number): void {
    this.#reactor.update(this, mask);
  }

  /**
   * Changes the events of a registration that was made with `EPOLLEXCLUSIVE`. From then on it is
   * the last to be woken of those that wait.
   */
  updateExclusive(mask: number): void {
    this.#reactor.updateExclusive(this, mask);
  }

  /**
   * Requests a turn without an event, to continue after the other watchers. Requests that are made
   * before it comes are the same one.
   */
  requestTurn(): void {
    this.#reactor.requestTurn(this);
  }

  /**
   * Ends the generation and closes the descriptor; a second call does nothing.
   *
   * The kernel removes an open file from the epoll set when its last descriptor is closed. One that
   * others may hold is removed before: it would report events for ever.
   */
  close(): void {
    try {
      if (this.#descriptor.isShared && this.#descriptor.isOpen) this.#reactor.stopWatching(this);
    } finally {
      if (this.#reactor.forget(this)) this.#descriptor.close();
    }
  }

  /**
   * Ends the generation without closing the descriptor.
   *
   * @returns The descriptor number, owned by the caller.
   * @throws {SystemError} When the kernel does not end its watch; the descriptor is closed then.
   */
  release(): number {
    // The open file description lives on, so only EPOLL_CTL_DEL removes it from the epoll set.
    try {
      this.#reactor.stopWatching(this);
    } catch (error) {
      if (this.#reactor.forget(this)) this.#descriptor.close();
      throw error;
    }
    this.#reactor.forget(this);
    return this.#descriptor.release();
  }
}

/**
 * The loop, its table of watchers and its timers.
 *
 * @example
 * ```ts
 * const reactor = new Reactor((error) => log.error(error));
 * reactor.watch(socket, EPOLLIN, { onEvents: () => read(socket), onFault: () => {} });
 * reactor.after(1_000, () => reactor.stop());
 * reactor.run();
 * ```
 */
export class Reactor {
  readonly #epoll = new Epoll(MAX_EVENTS);
  readonly #registrations: (Registration | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #timers = new Timers();
  #requested: Registration[] = [];
  /** Reports an internal error. */
  readonly report: (error: unknown) => void;
  #open = 0;
  #running = false;

  /**
   * @param report Receives every error that a watcher or a timer's function threw. The others are
   * not affected. By default it is thrown, which ends the loop.
   */
  constructor(report: (error: unknown) => void = rethrow) {
    this.report = report;
  }

  /** The number of descriptors in the epoll set. */
  get size(): number {
    return this.#open;
  }

  /** The number of timers that have not fired. */
  get waiting(): number {
    return this.#timers.active;
  }

  /** Milliseconds on a clock that never goes back. */
  now(): number {
    return performance.now();
  }

  /**
   * Adds a descriptor to the epoll set.
   *
   * @param descriptor Owned by the registration, also when this throws.
   * @param mask The events to report.
   * @param watcher Receives them.
   * @throws {SystemError} When the kernel cannot watch it; the descriptor is closed then.
   */
  watch(descriptor: Descriptor, mask: number, watcher: Watcher): Registration {
    const slot = this.#free.pop() ?? this.#registrations.push(null) - 1;
    const generation = this.#generations[slot] ??= 0;
    try {
      this.#epoll.add(descriptor, mask, slot, generation);
    } catch (error) {
      this.#free.push(slot);
      descriptor.close();
      throw error;
    }
    this.#open++;
    return this.#registrations[slot] = new Registration(
      this,
      descriptor,
      watcher,
      slot,
      generation,
    );
  }

  /** Changes a registration's events. */
  update(registration: Registration, mask: number): void {
    const { descriptor, slot, generation } = registration;
    if (this.#generations[slot] !== generation) return;
    this.#epoll.modify(descriptor, mask, slot, generation);
  }

  /** Changes a registration's events: its entry cannot be modified, and is made again. */
  updateExclusive(registration: Registration, mask: number): void {
    const { descriptor, slot, generation } = registration;
    if (this.#generations[slot] !== generation) return;
    this.stopWatching(registration);
    this.#epoll.add(descriptor, mask | EPOLLEXCLUSIVE, slot, generation);
  }

  /** Removes the descriptor of a registration from the epoll set. */
  stopWatching(registration: Registration): void {
    if (this.#generations[registration.slot] !== registration.generation) return;
    try {
      this.#epoll.remove(registration.descriptor);
    } catch (error) {
      // Its entry was removed, and could not be made again.
      if (!(error instanceof SystemError) || error.errno !== Errno.ENOENT) throw error;
    }
  }

  /** Ends the generation of a registration. @returns Whether it was current. */
  forget(registration: Registration): boolean {
    const { slot, generation } = registration;
    if (this.#generations[slot] !== generation) return false;
    this.#generations[slot] = (generation + 1) >>> 0;
    this.#registrations[slot] = null;
    this.#free.push(slot);
    this.#open--;
    return true;
  }

  /** Gives the watcher of a registration a turn after the events of this turn. */
  requestTurn(registration: Registration): void {
    if (registration.awaitsTurn) return;
    registration.awaitsTurn = true;
    this.#requested.push(registration);
  }

  /**
   * Runs a function once, after a number of milliseconds.
   *
   * @param onFault Called when the function threw, as {@linkcode Watcher.onFault}: what it was to
   * end is released.
   */
  after(milliseconds: number, run: () => void, onFault: (() => void) | null = null): Timer {
    return this.#timers.add(this.now() + milliseconds, run, onFault);
  }

  /** Runs until {@linkcode stop}. Blocks the thread. */
  run(): void {
    this.#running = true;
    while (this.#running) this.turn(this.#timers.timeout(this.now()));
    this.close();
  }

  /** Closes the epoll instance of a reactor that is not run. */
  close(): void {
    this.#epoll.close();
  }

  /**
   * Waits until a turn is due: in a thread of the runtime, so that this one does other work. What
   * is requested or added to the timers meanwhile does not end the wait.
   */
  untilDue(): Promise<void> {
    const timeout = this.#requested.length > 0 ? 0 : this.#timers.timeout(this.now());
    return this.#epoll.waitInBackground(timeout);
  }

  /**
   * Runs one turn: waits for events, dispatches them, fires the timers that are due.
   *
   * @param timeout Milliseconds; −1 waits for ever.
   */
  turn(timeout: number): void {
    this.#handleEvents(this.#requested.length > 0 ? 0 : timeout);
    if (this.#requested.length > 0) {
      // A request made during these turns waits for the next one.
      const requested = this.#requested;
      this.#requested = [];
      for (const registration of requested) {
        registration.awaitsTurn = false;
        this.#dispatch(registration.slot, registration.generation, 0);
      }
    }
    if (this.#timers.size > 0) this.#runTimers();
  }

  /** @returns The number of events. */
  #handleEvents(timeout: number): number {
    const epoll = this.#epoll;
    const count = epoll.wait(timeout);
    for (let index = 0; index < count; index++) {
      this.#dispatch(epoll.slot(index), epoll.generation(index), epoll.mask(index));
    }
    return count;
  }

  /**
   * Fires what is due. After `SIGSTOP` and `SIGCONT`, `epoll_wait(2)` fails with `EINTR`
   * (`signal(7)`), and any other step may have taken as long: what has come meanwhile counts before
   * a timer that waits for it in vain.
   */
  #runTimers(): void {
    const now = this.now();
    if (this.#timers.areLate(now, LATE_MS)) {
      for (let looks = 0; looks < MAX_LOOKS; looks++) {
        if (this.#handleEvents(0) < MAX_EVENTS) break;
      }
    }
    this.#timers.runDue(now, this.report);
  }

  #dispatch(slot: number, generation: number, mask: number): void {
    if (this.#generations[slot] !== generation) return;
    const registration = this.#registrations[slot];
    if (!registration) return;
    try {
      registration.watcher.onEvents(mask);
    } catch (error) {
      this.#fault(registration, error);
    }
  }

  /** One rule for all watchers: the watcher releases what it owns, and the error is reported. */
  #fault(registration: Registration, error: unknown): void {
    const errors = [error];
    try {
      registration.watcher.onFault(error);
    } catch (second) {
      // A watcher that cannot release itself gets no further events.
      errors.push(second);
      registration.close();
    }
    errors.forEach((one) => this.report(one));
  }

  /** Ends {@linkcode run} after the current turn. */
  stop(): void {
    this.#running = false;
  }
}

function rethrow(error: unknown): never {
  throw error;
}
