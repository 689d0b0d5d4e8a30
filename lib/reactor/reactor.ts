/**
 * One synchronous loop over `epoll(7)` that carries every connection of a thread.
 *
 * An event names a slot of the connection table and the slot's generation. Whoever closes a connection
 * ends its generation, so an event of the same batch that still means the old connection is dropped,
 * even where the kernel has already given its number to a new one.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { Epoll } from "../libc/epoll.ts";
import { type Timer, Timers } from "./timers.ts";

export { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../libc/epoll.ts";

/** Who hears of a descriptor's events. */
export interface Watcher {
  /** @param mask The events, `EPOLLIN` and so on; 0 for a turn that was asked for. */
  onEvents(mask: number): void;

  /**
   * Called when {@linkcode onEvents} threw, which is a bug of ours: the watcher gives up what it holds,
   * and everyone else's connections go on.
   */
  onFault(error: unknown): void;
}

/** A descriptor in the reactor's care. The registration owns it from then on. */
export class Registration {
  readonly #reactor: Reactor;
  readonly #descriptor: Descriptor;
  readonly slot: number;
  readonly generation: number;

  /** Made by {@linkcode Reactor.watch}. */
  constructor(reactor: Reactor, descriptor: Descriptor, slot: number, generation: number) {
    this.#reactor = reactor;
    this.#descriptor = descriptor;
    this.slot = slot;
    this.generation = generation;
  }

  /** The descriptor, for the duration of one call. */
  get descriptor(): Descriptor {
    return this.#descriptor;
  }

  /** Changes the events that are waited for. */
  update(mask: number): void {
    this.#reactor.update(this, mask);
  }

  /** Asks for a turn without an event: there is more to do, and others shall not wait for it. */
  requestTurn(): void {
    this.#reactor.requestTurn(this);
  }

  /** Ends the generation and closes the descriptor; a second call does nothing. */
  close(): void {
    if (this.#reactor.forget(this)) this.#descriptor.close();
  }

  /**
   * Ends the generation and gives the descriptor away, still open.
   *
   * @returns The number, now owned by the caller.
   */
  release(): number {
    // The open file lives on elsewhere, so closing would not take it out of the epoll set.
    this.#reactor.stopWatching(this);
    this.#reactor.forget(this);
    return this.#descriptor.release();
  }
}

/** The loop, its table and its timers. Knows nothing of users. */
export class Reactor {
  readonly #epoll = new Epoll(512);
  readonly #watchers: (Watcher | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #timers = new Timers();
  #again: Registration[] = [];
  readonly #onFault: (error: unknown) => void;
  #open = 0;
  #running = false;

  /** @param onFault Hears of what a timer's run threw, which is a bug of ours: everyone else's go on. */
  constructor(onFault: (error: unknown) => void = rethrow) {
    this.#onFault = onFault;
  }

  /** How many descriptors are in its care. */
  get size(): number {
    return this.#open;
  }

  /** How many things are still to be done after some time. */
  get waiting(): number {
    return this.#timers.active;
  }

  /** Milliseconds on a clock that never goes back. */
  now(): number {
    return performance.now();
  }

  /**
   * Takes a descriptor into care.
   *
   * @param descriptor Owned by the registration from here on, also when this throws.
   * @param mask The events to wait for.
   * @param watcher Who hears of them.
   * @throws {SystemError} When the kernel cannot watch it; the descriptor is closed then.
   */
  watch(descriptor: Descriptor, mask: number, watcher: Watcher): Registration {
    const slot = this.#free.pop() ?? this.#watchers.push(null) - 1;
    const generation = this.#generations[slot] ??= 0;
    try {
      this.#epoll.add(descriptor, mask, slot, generation);
    } catch (error) {
      this.#free.push(slot);
      descriptor.close();
      throw error;
    }
    this.#watchers[slot] = watcher;
    this.#open++;
    return new Registration(this, descriptor, slot, generation);
  }

  /** Changes a registration's events. */
  update(registration: Registration, mask: number): void {
    const { descriptor, slot, generation } = registration;
    if (this.#generations[slot] !== generation) return;
    this.#epoll.modify(descriptor, mask, slot, generation);
  }

  /** Takes a registration's descriptor out of the epoll set. */
  stopWatching(registration: Registration): void {
    if (this.#generations[registration.slot] !== registration.generation) return;
    this.#epoll.remove(registration.descriptor);
  }

  /** Ends a registration's generation. @returns Whether it was still alive. */
  forget(registration: Registration): boolean {
    const { slot, generation } = registration;
    if (this.#generations[slot] !== generation) return false;
    this.#generations[slot] = (generation + 1) >>> 0;
    this.#watchers[slot] = null;
    this.#free.push(slot);
    this.#open--;
    return true;
  }

  /** Gives a registration's watcher a turn after the events of this one. */
  requestTurn(registration: Registration): void {
    this.#again.push(registration);
  }

  /** Does something once, after a number of milliseconds. */
  after(milliseconds: number, run: () => void): Timer {
    return this.#timers.add(this.now() + milliseconds, run);
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
   * One turn: waits for events, hands each to its watcher, runs what is due.
   *
   * @param timeout Milliseconds; −1 waits for ever.
   */
  turn(timeout: number): void {
    const epoll = this.#epoll;
    const count = epoll.wait(this.#again.length > 0 ? 0 : timeout);
    for (let index = 0; index < count; index++) {
      this.#dispatch(epoll.slot(index), epoll.generation(index), epoll.mask(index));
    }
    if (this.#again.length > 0) {
      // What asks again meanwhile waits for the next turn.
      const again = this.#again;
      this.#again = [];
      for (const { slot, generation } of again) this.#dispatch(slot, generation, 0);
    }
    if (this.#timers.size > 0) this.#timers.runDue(this.now(), this.#onFault);
  }

  #dispatch(slot: number, generation: number, mask: number): void {
    if (this.#generations[slot] !== generation) return;
    const watcher = this.#watchers[slot];
    if (!watcher) return;
    try {
      watcher.onEvents(mask);
    } catch (error) {
      watcher.onFault(error);
    }
  }

  /** Ends {@linkcode run} after the current turn. */
  stop(): void {
    this.#running = false;
  }
}

function rethrow(error: unknown): never {
  throw error;
}
