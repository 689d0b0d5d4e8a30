/**
 * Takes connections from a listening socket, a batch a turn, and never spins.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { accept, receive, shutdown } from "../libc/sockets.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";

/** How many connections one turn of the reactor takes before the others' events are served. */
const BATCH = 64;
/** How long a listener rests when the machine has no room for another connection, in milliseconds. */
const REST = 100;

/** Who is given the connections. */
export interface ConnectionHandler {
  /**
   * Some have come, and will be received one by one. What is looked at now is no older than the connection of any of
   * them, so what they have in common needs to be looked at once only.
   */
  beforeBatch(): void;
  /** Someone has come. The connection is the porter's from here on, also when this throws. */
  onConnection(connection: Descriptor): void;
  /** There is no room for someone: to be turned away, and noted. */
  onResourceExhausted(connection: Descriptor): void;
  /** A bug of ours, or the machine's trouble. */
  onError(error: unknown): void;
}

/** Accepts, for as long as it is not closed. */
export class Acceptor implements Watcher {
  readonly #reactor: Reactor;
  readonly #socket: Descriptor;
  readonly #handler: ConnectionHandler;
  readonly #registration: Registration;
  // Given up to take in, and send away, a connection that no descriptor is left for.
  #spare: Descriptor | null;

  /** Starts accepting. @param socket The listening socket, which is the acceptor's from here on. */
  constructor(reactor: Reactor, socket: Descriptor, handler: ConnectionHandler) {
    this.#reactor = reactor;
    this.#socket = socket;
    this.#handler = handler;
    this.#spare = socket.duplicate();
    this.#registration = reactor.watch(socket, EPOLLIN, this);
  }

  /**
   * Takes the connections that are waiting: one, and where there are more, twice as many each time. Who comes alone does
   * not wait for others, and who comes in a crowd shares the look at the configuration, which may also close this listener.
   */
  onEvents(): void {
    if (this.#spare === null) this.#keepSpare();
    let size = 1;
    for (let taken = 0; taken < BATCH && this.#socket.isOpen;) {
      const group = this.#take(size);
      if (group.length === 0) return;
      taken += group.length;
      this.#receive(group);
      size = group.length === size ? 2 * size : 1;
    }
  }

  /** A bug of ours on the way to a decision: nobody has come in, the door stays open. */
  onFault(error: unknown): void {
    this.#handler.onError(error);
  }

  #take(most: number): Descriptor[] {
    const group: Descriptor[] = [];
    while (group.length < most) {
      const connection = this.#accept();
      if (connection === null) break;
      group.push(connection);
    }
    return group;
  }

  #receive(group: readonly Descriptor[]): void {
    try {
      this.#handler.beforeBatch();
    } catch (error) {
      // Nothing can be decided, so nobody comes in.
      group.forEach(drainAndClose);
      throw error;
    }
    for (const connection of group) {
      try {
        this.#handler.onConnection(connection);
      } catch (error) {
        // A bug while deciding about one peer: that peer is refused, and the next one has its turn.
        this.#handler.onError(error);
      }
    }
  }

  /** Stops accepting. */
  close(): void {
    this.#registration.close();
    this.#spare?.close();
  }

  /** The next waiting connection, or null when nobody is waiting or there is no room. */
  #accept(): Descriptor | null {
    try {
      return accept(this.#socket);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#sendOneAway(error);
      return null;
    }
  }

  /**
   * Out of descriptors or memory: a waiting connection keeps the listener ready, so the loop would spin.
   * The spare descriptor's place takes one connection in and sends it away; where even that fails, the
   * listener rests a moment. Those who are inside notice nothing.
   */
  #sendOneAway(error: SystemError): void {
    this.#spare?.close();
    this.#spare = null;
    try {
      const connection = accept(this.#socket);
      if (connection !== null) this.#handler.onResourceExhausted(connection);
      this.#spare = this.#socket.duplicate();
    } catch {
      this.#handler.onError(error);
      this.#registration.update(0);
      this.#reactor.after(REST, () => this.#wakeUp());
    }
  }

  #wakeUp(): void {
    if (!this.#socket.isOpen) return;
    this.#keepSpare();
    this.#registration.update(EPOLLIN);
  }

  #keepSpare(): void {
    try {
      this.#spare ??= this.#socket.duplicate();
    } catch {
      // Still no room; the next connection that does not fit rests the listener again.
    }
  }
}

/**
 * Ends a connection so that the peer reads end-of-file and nothing else.
 *
 * The kernel answers `ECONNRESET` instead where unread bytes are left behind (`unix(7)`,
 * `unix_release_sock`), so what the peer sent unasked is thrown away, after its direction was shut: it
 * can add nothing, and what there is has an end.
 */
export function drainAndClose(connection: Descriptor): void {
  shutdown(connection);
  while (receive(connection, discardBuffer) > 0);
  connection.close();
}

const discardBuffer = new Uint8Array(64 * 1024);
