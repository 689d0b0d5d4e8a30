/**
 * A client whose session waits, for its backend or for the name service: it may leave meanwhile.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import { BROKEN, peek } from "../libc/sockets.ts";
import { drainAndClose } from "../net/drain_and_close.ts";
import type { RelayCloseReason } from "../net/relay_outcome.ts";
import {
  EPOLLET,
  EPOLLHUP,
  EPOLLRDHUP,
  type Reactor,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";
import type { ClientConnection } from "./service.ts";

/** The connection of a client that waits. Nothing of what it has sent is read. */
export class WaitingClient implements Watcher {
  #client: ClientConnection;
  readonly #onLeft: (reason: RelayCloseReason) => void;
  /** Null while the hang-up is not watched. */
  #registration: Registration | null = null;

  /**
   * @param client Owned by this object until it is taken.
   * @param onLeft Called when the client has left without having sent anything.
   */
  constructor(client: ClientConnection, onLeft: (reason: RelayCloseReason) => void) {
    // Bytes that were received lie in a shared buffer, which others use meanwhile.
    this.#client = { ...client, received: client.received?.slice() ?? null };
    this.#onLeft = onLeft;
  }

  /**
   * Watches the hang-up from here on, also one that has come before.
   *
   * @throws {SystemError} When the kernel cannot watch it; the connection is closed then.
   */
  watch(reactor: Reactor): void {
    const { descriptor } = this.#client;
    this.#registration ??= reactor.watch(descriptor, EPOLLRDHUP | EPOLLET, this);
  }

  /** The connection, which is not watched any more. It may be closed. */
  take(): ClientConnection {
    const registration = this.#registration;
    if (registration === null) return this.#client;
    this.#registration = null;
    return this.#client = { ...this.#client, descriptor: new Descriptor(registration.release()) };
  }

  /** Closes the connection, unless it was taken and is closed already. */
  close(): void {
    const { seal, descriptor } = this.take();
    seal?.wipe();
    if (descriptor.isOpen) drainAndClose(descriptor);
  }

  onEvents(mask: number): void {
    if (this.#registration === null) return;
    const available = peek(this.#registration.descriptor);
    if (available === BROKEN) this.#onLeft("error");
    // What it has sent before it left is for the service.
    if (available !== 0 || this.#client.received?.length) return;
    // Without FIN before it, an end is a truncation. A Unix client that has only ended its own
    // direction waits for an answer.
    if (this.#client.seal !== null) this.#onLeft("truncated");
    else if ((mask & EPOLLHUP) !== 0) this.#onLeft("end");
  }

  onFault(): void {
    this.#onLeft("error");
  }
}
