/**
 * The way to a backend that does not take us at once.
 *
 * @module
 */
import { Descriptor } from "../../libc/descriptor.ts";
import { Errno } from "../../libc/errno.ts";
import type { SocketAddress } from "../../libc/inet_address.ts";
import { connect, unixSocket } from "../../libc/sockets.ts";
import { connectOutcome, tcpSocket } from "../../libc/tcp_socket.ts";
import { EPOLLOUT, type Reactor, type Registration, type Watcher } from "../../reactor/reactor.ts";
import type { RelayConnection } from "../../net/relay_end.ts";
import type { Timer } from "../../reactor/timers.ts";
import { drainAndClose } from "../../net/acceptor.ts";
import type { SessionHandle } from "../../session/service.ts";
import type { CloseReason, Session } from "../../session/session_table.ts";
import type { BackendIdentity } from "./backend_identity.ts";

/** How long a backend may take to let us in, in milliseconds. */
const PATIENCE = 10_000;
/** How often a Unix backend is asked again that has no room for another connection, in milliseconds. */
const PAUSE = 5;

/**
 * Connects to a backend on a Unix socket, in the way in which it is told who comes.
 *
 * @returns The connection, or the error number.
 */
export function connectUnix(
  passOn: BackendIdentity,
  session: Session,
  peer: Descriptor,
  address: SocketAddress,
): Descriptor | number {
  const backend = unixSocket();
  const error = passOn.connecting(session, peer, () => connect(backend, address));
  if (error === 0) return backend;
  backend.close();
  return error;
}

/** Joins the peer to its backend. @returns Null when that cannot be; the backend is closed then. */
export type Join = (peer: RelayConnection, backend: Descriptor) => SessionHandle | null;

/** A session on its way to its backend. It occupies the session until it has arrived. */
export class BackendConnect implements SessionHandle, Watcher {
  readonly #reactor: Reactor;
  readonly #session: Session;
  readonly #peer: RelayConnection;
  readonly #join: Join;
  #registration: Registration | null = null;
  #deadline: Timer | null = null;
  #retry: Timer | null = null;
  #addresses: readonly SocketAddress[] = [];
  #next = 0;
  #over = false;

  constructor(reactor: Reactor, session: Session, peer: RelayConnection, join: Join) {
    this.#reactor = reactor;
    this.#session = session;
    // What has come already lies in a buffer that others use while the backend is waited for.
    this.#peer = { ...peer, received: peer.received?.slice() ?? null };
    this.#join = join;
  }

  /**
   * Asks again a backend on a Unix socket. A full backlog is `EAGAIN` at once, and nothing tells when there is room
   * (`connect(2)`).
   *
   * @param error What it has answered.
   * @param dial Asks it.
   */
  toUnix(error: number, dial: () => Descriptor | number): SessionHandle {
    this.#askAgain(error, dial, this.#reactor.now() + PATIENCE);
    return this;
  }

  /** Asks each address of a backend on TCP until one takes us. */
  toTcp(addresses: readonly SocketAddress[]): SessionHandle {
    this.#addresses = addresses;
    this.#deadline = this.#reactor.after(PATIENCE, () => this.#end("backend-timeout"));
    return this.#tryNext();
  }

  /** The backend cannot even be asked. */
  giveUp(): SessionHandle {
    return this.#endSoon("backend-error");
  }

  /** The connection to a TCP backend has come out one way or the other. */
  onEvents(): void {
    const registration = this.#registration;
    if (registration === null) return;
    const error = connectOutcome(registration.descriptor);
    if (error === Errno.EINPROGRESS) return;
    this.#registration = null;
    this.#attempt(() => {
      if (error === 0) {
        this.#arrive(new Descriptor(registration.release()));
        return;
      }
      registration.close();
      this.#tryNext();
    });
  }

  onFault(): void {
    this.#end("error");
  }

  terminate(): void {
    this.#end("error");
  }

  #askAgain(error: number, dial: () => Descriptor | number, until: number): void {
    if (error !== Errno.EAGAIN) this.#endSoon("backend-refused");
    else if (this.#reactor.now() >= until) this.#endSoon("backend-timeout");
    else {
      this.#retry = this.#reactor.after(PAUSE, () =>
        this.#attempt(() => {
          const backend = dial();
          if (typeof backend === "number") this.#askAgain(backend, dial, until);
          else this.#arrive(backend);
        }));
    }
  }

  #tryNext(): SessionHandle {
    for (;;) {
      const address = this.#addresses[this.#next++];
      if (address === undefined) return this.#endSoon("backend-refused");
      const backend = tcpSocket(address);
      const error = connect(backend, address);
      if (error === 0) return this.#arrive(backend);
      if (error === Errno.EINPROGRESS) {
        this.#registration = this.#reactor.watch(backend, EPOLLOUT, this);
        return this;
      }
      backend.close();
    }
  }

  /** Out of descriptors on the way, say. */
  #attempt(step: () => void): void {
    if (this.#over) return;
    try {
      step();
    } catch {
      this.#end("backend-error");
    }
  }

  #arrive(backend: Descriptor): SessionHandle {
    this.#cancelTimers();
    const joined = this.#join(this.#peer, backend);
    if (joined === null) return this.#endSoon("backend-error");
    this.#over = true;
    this.#session.attach(joined);
    return joined;
  }

  /** A service's session never ends before {@linkcode Service.open} has returned. */
  #endSoon(reason: CloseReason): SessionHandle {
    this.#reactor.after(0, () => this.#end(reason));
    return this;
  }

  /** There will be no backend. */
  #end(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimers();
    this.#registration?.close();
    this.#registration = null;
    this.#peer.seal?.wipe();
    // Whoever tried to join it, and could not, has closed it.
    if (this.#peer.descriptor.isOpen) drainAndClose(this.#peer.descriptor);
    this.#session.recordBytes({ in: 0, out: 0 });
    this.#session.end(reason);
  }

  #cancelTimers(): void {
    this.#deadline?.cancel();
    this.#retry?.cancel();
  }
}
