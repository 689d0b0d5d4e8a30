/**
 * Accepts connections from a listening socket, in batches, without ever spinning.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { accept } from "../libc/sockets.ts";
import {
  EPOLLEXCLUSIVE,
  EPOLLIN,
  type Reactor,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";
import { drainAndClose } from "./drain_and_close.ts";

/** How many connections are accepted in one turn of the reactor. */
const BATCH = 64;
/** How long accepting is paused when no descriptor is left for a connection, in milliseconds. */
const ACCEPT_PAUSE_MS = 100;

/** A socket that listens, and what goes with it. */
export interface ListeningSocket {
  readonly socket: Descriptor;
  /** Removes the socket's file, if there is one, so that no client queues at a dead socket. */
  unlink(): void;
  /** Ends what excludes another server from the address, such as a lock file. */
  release(): void;
}

/**
 * Closes a listening socket that accepts no more, or never did. Every part of it goes, so that a
 * server may listen there again.
 */
export function closeListeningSocket(listener: ListeningSocket): void {
  try {
    listener.unlink();
  } finally {
    listener.socket.close();
    listener.release();
  }
}

/** Receives the accepted connections of a listener. */
export interface ConnectionHandler {
  /**
   * Called before the connections of a batch. All of them were accepted before this call, so one
   * check of the configuration here is current for each of them.
   *
   * @returns For how many milliseconds the batch has to wait, before this is called again; 0 for
   * not at all.
   */
  beforeBatch(): number;
  /** Takes ownership of an accepted connection, also when it throws. */
  onConnection(connection: Descriptor): void;
  /** Takes ownership of a connection that has to be closed because no descriptor is left for it. */
  onResourceExhausted(connection: Descriptor): void;
  /** Reports an internal or system error. */
  onError(error: unknown): void;
}

/**
 * Accepts connections until it is closed.
 *
 * @example
 * ```ts
 * const acceptor = new Acceptor(reactor, listener, {
 *   beforeBatch: () => context.refreshConfig(),
 *   onConnection: (connection) => endpoint.authorize(connection),
 *   onResourceExhausted: drainAndClose,
 *   onError: (error) => events.logError(error),
 * });
 * ```
 */
export class Acceptor implements Watcher {
  readonly #reactor: Reactor;
  readonly #listener: ListeningSocket;
  readonly #socket: Descriptor;
  readonly #handler: ConnectionHandler;
  readonly #registration: Registration;
  readonly #isShared: boolean;
  /** A reserve: its slot accepts, and closes, a connection that no descriptor is left for. */
  #reserve: Descriptor | null;
  /** Connections that are accepted and wait for the configuration to be at rest. */
  #waiting: readonly Descriptor[] = [];

  /**
   * Starts to accept.
   *
   * @param listener Owned by the acceptor, also when this throws.
   * @param isShared Whether other threads accept from the same socket. The connections of a quiet
   * server are then accepted by each of them in turn.
   * @throws {SystemError} When the reserve cannot be made or the socket cannot be watched.
   */
  constructor(
    reactor: Reactor,
    listener: ListeningSocket,
    handler: ConnectionHandler,
    isShared = false,
  ) {
    this.#reactor = reactor;
    this.#listener = listener;
    this.#socket = listener.socket;
    this.#handler = handler;
    this.#isShared = isShared;
    let reserve: Descriptor | null = null;
    try {
      reserve = this.#socket.duplicate();
      const mask = isShared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN;
      this.#registration = reactor.watch(this.#socket, mask, this);
    } catch (error) {
      reserve?.close();
      closeListeningSocket(listener);
      throw error;
    }
    this.#reserve = reserve;
  }

  /**
   * Accepts in batches of 1, 2, 4, … up to {@linkcode BATCH} per turn. A single client is served
   * without delay; a burst shares one configuration check, which may also close this listener.
   */
  onEvents(): void {
    if (this.#reserve === null) this.#restoreReserve();
    let size = 1;
    for (let accepted = 0; accepted < BATCH && this.#socket.isOpen;) {
      const batch = this.#acceptBatch(size);
      if (batch.length === 0) break;
      // The next connection is for another thread, while this one is busy with these.
      if (accepted === 0 && this.#isShared) this.#watch(EPOLLIN);
      accepted += batch.length;
      if (!this.#handleBatch(batch)) return;
      size = batch.length === size ? 2 * size : 1;
    }
  }

  /** The connections of the batch are closed; accepting goes on. */
  onFault(): void {}

  /**
   * Stops accepting and closes the listening socket. Its file is removed first, so that no client
   * queues at a dead socket. Each step is made even where another one fails: a lock that is kept
   * would keep the address from every later listener.
   */
  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const steps = [
      () => this.#listener.unlink(),
      () => this.#registration.close(),
      () => this.#reserve?.close(),
      () => this.#listener.release(),
      // Its endpoint is suspended, so they are denied.
      () => this.#handOn(waiting),
    ];
    guardEach(steps, (step) => step(), (error) => this.#handler.onError(error));
  }

  #acceptBatch(size: number): Descriptor[] {
    const batch: Descriptor[] = [];
    while (batch.length < size) {
      const connection = this.#accept();
      if (connection === null) break;
      batch.push(connection);
    }
    return batch;
  }

  /** @returns Whether accepting goes on; else the batch waits, and accepting is paused. */
  #handleBatch(batch: readonly Descriptor[]): boolean {
    try {
      const wait = this.#handler.beforeBatch();
      if (wait > 0 && this.#socket.isOpen) {
        this.#pause(batch, wait);
        return false;
      }
    } catch (error) {
      // Without a current configuration no decision is possible, so every connection is closed.
      guardEach(batch, drainAndClose, (second) => this.#handler.onError(second));
      throw error;
    }
    this.#handOn(batch);
    return true;
  }

  #handOn(batch: readonly Descriptor[]): void {
    for (const connection of batch) {
      try {
        this.#handler.onConnection(connection);
      } catch (error) {
        // An internal error closes this connection and leaves the rest of the batch alone.
        this.#handler.onError(error);
      }
    }
  }

  /** Lets a batch wait. The connections after it wait in the backlog, so nothing spins. */
  #pause(batch: readonly Descriptor[], wait: number): void {
    this.#waiting = batch;
    this.#watch(0);
    this.#reactor.after(wait, () => {
      const waiting = this.#waiting;
      if (waiting.length === 0) return;
      this.#waiting = [];
      try {
        if (!this.#handleBatch(waiting)) return;
      } catch (error) {
        this.#handler.onError(error);
      }
      this.#resume();
    });
  }

  /** The next pending connection, or null when there is none or no descriptor for it. */
  #accept(): Descriptor | null {
    try {
      return accept(this.#socket);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#closeOnePending(error);
      return null;
    }
  }

  /**
   * Closes one pending connection when descriptors or memory have run out. A pending connection
   * keeps the socket readable, so the loop would spin. The reserve's slot accepts the connection;
   * where that fails too, accepting is paused. Open connections are not affected.
   */
  #closeOnePending(error: SystemError): void {
    this.#reserve?.close();
    this.#reserve = null;
    try {
      const connection = accept(this.#socket);
      if (connection !== null) this.#handler.onResourceExhausted(connection);
      this.#reserve = this.#socket.duplicate();
    } catch {
      this.#handler.onError(error);
      this.#watch(0);
      this.#reactor.after(ACCEPT_PAUSE_MS, () => this.#resume());
    }
  }

  #watch(mask: number): void {
    if (!this.#isShared) return this.#registration.update(mask);
    try {
      this.#registration.updateExclusive(mask);
    } catch (error) {
      // Without memory for the entry: later.
      this.#handler.onError(error);
      this.#reactor.after(ACCEPT_PAUSE_MS, () => this.#resume());
    }
  }

  #resume(): void {
    if (!this.#socket.isOpen) return;
    this.#restoreReserve();
    this.#watch(EPOLLIN);
  }

  #restoreReserve(): void {
    try {
      this.#reserve ??= this.#socket.duplicate();
    } catch {
      // Still no descriptor: the next connection that does not fit pauses the listener again.
    }
  }
}

/**
 * Accepts from several listeners, or from none.
 *
 * @param listeners Owned by the acceptors, also when this throws.
 * @throws {SystemError} As the constructor of {@linkcode Acceptor}.
 */
export function acceptFromAll(
  reactor: Reactor,
  listeners: readonly ListeningSocket[],
  handler: ConnectionHandler,
  isShared = false,
): readonly Acceptor[] {
  const acceptors: Acceptor[] = [];
  try {
    for (const listener of listeners) {
      acceptors.push(new Acceptor(reactor, listener, handler, isShared));
    }
    return acceptors;
  } catch (error) {
    acceptors.forEach((acceptor) => acceptor.close());
    listeners.slice(acceptors.length + 1).forEach(closeListeningSocket);
    throw error;
  }
}
