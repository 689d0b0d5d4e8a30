/**
 * One connection through the tunnel: from a local client to a keyed server.
 *
 * @module
 */
import type { ClientEvent, ClientHandshake } from "../protocol/client_handshake.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import type { SocketAddress } from "../libc/inet_address.ts";
import { BROKEN, connect, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { connectOutcome, setTcpOptions, tcpSocket } from "../libc/tcp_socket.ts";
import {
  EPOLLIN,
  EPOLLOUT,
  type Reactor,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";
import { Relay, type RelayOwner } from "../net/relay.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { Timer } from "../reactor/timers.ts";
import { connectFailure } from "./connect_failure.ts";
import { handshakeFailure, unreachable } from "./connect_tcp.ts";

/** How long a server may take to let us in, in milliseconds. */
const PATIENCE = 10_000;
/** How much is read at once during the access check. */
const CHUNK = 4096;

/** What all passages of a tunnel share. */
export interface TunnelConnectionOptions {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
  /** Where the server is, as people write it. */
  readonly where: string;
  readonly addresses: readonly SocketAddress[];
  /** A new handshake with the key as it is now. @throws {Failure} When there is no key. */
  handshake(): ClientHandshake;
  /** Tells why somebody did not get through. */
  complain(failure: Failure): void;
  /** The passage is over, and everything closed. */
  over(passage: TunnelConnection): void;
}

/** A local connection on its way to the server, and then joined to it. */
export class TunnelConnection implements Watcher, RelayOwner {
  readonly #options: TunnelConnectionOptions;
  readonly #local: Descriptor;
  readonly #kind: "unix" | "tcp";
  readonly #deadline: Timer;
  #remote: Registration | null = null;
  #handshake: ClientHandshake | null = null;
  #next = 0;
  #relay: Relay | null = null;
  #over = false;

  /** @param local Belongs to the passage. */
  constructor(options: TunnelConnectionOptions, local: Descriptor, kind: "unix" | "tcp") {
    this.#options = options;
    this.#local = local;
    this.#kind = kind;
    this.#deadline = options.reactor.after(
      PATIENCE,
      () => this.#fail(connectFailure(`${options.where} does not answer`, ExitCode.unavailable)),
    );
  }

  /** Sets out. */
  begin(): void {
    this.#attempt(() => this.#connect(Errno.EADDRNOTAVAIL));
  }

  onEvents(): void {
    this.#attempt(() => this.#handshake === null ? this.#connected() : this.#listen());
  }

  onFault(): void {
    this.#end();
  }

  /** Ends it at once. */
  abort(): void {
    if (this.#relay !== null) this.#relay.abort("closed");
    else this.#end();
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof Failure) this.#fail(error);
      else if (error instanceof SystemError) {
        this.#fail(unreachable(this.#options.where, error.errno));
      } else {
        this.#end();
        throw error;
      }
    }
  }

  #connect(lastError: number): void {
    const { reactor, addresses, where } = this.#options;
    const address = addresses[this.#next++];
    if (address === undefined) throw unreachable(where, lastError);
    const socket = tcpSocket(address);
    const error = connect(socket, address);
    if (error !== 0 && error !== Errno.EINPROGRESS) {
      socket.close();
      this.#connect(error);
      return;
    }
    this.#remote = reactor.watch(socket, EPOLLOUT, this);
  }

  #connected(): void {
    const remote = this.#remote;
    if (remote === null) return;
    const error = connectOutcome(remote.descriptor);
    if (error !== 0) {
      remote.close();
      this.#remote = null;
      this.#connect(error);
      return;
    }
    setTcpOptions(remote.descriptor);
    this.#handshake = this.#options.handshake();
    this.#send(this.#handshake.start());
    remote.update(EPOLLIN);
  }

  #listen(): void {
    const chunk = this.#options.buffers.read.subarray(0, CHUNK);
    while (this.#remote !== null && this.#handshake !== null) {
      const count = receive(this.#remote.descriptor, chunk);
      if (count === WOULD_BLOCK) return;
      const events = count === 0 || count === BROKEN
        ? [this.#handshake.end()]
        : this.#handshake.push(chunk.subarray(0, count));
      for (const event of events) this.#take(event);
    }
  }

  #take(event: ClientEvent): void {
    switch (event.kind) {
      case "send":
        this.#send(event.bytes);
        return;
      case "accepted":
        this.#join(event);
        return;
      default:
        throw handshakeFailure(this.#options.where, event);
    }
  }

  #join({ channel, rest }: ClientEvent & { kind: "accepted" }): void {
    const remote = this.#remote;
    if (remote === null) return;
    const { reactor, buffers } = this.#options;
    this.#deadline.cancel();
    this.#remote = null;
    this.#relay = new Relay(
      reactor,
      buffers,
      { descriptor: this.#local, kind: this.#kind, seal: null },
      {
        descriptor: new Descriptor(remote.release()),
        kind: "tcp",
        seal: channel,
        received: rest as Uint8Array<ArrayBuffer>,
      },
      this,
    );
  }

  /** Both connections are closed. */
  onRelayClosed(): void {
    this.#over = true;
    this.#options.over(this);
  }

  /** So few bytes always fit into a connection that has carried none. */
  #send(bytes: Uint8Array): void {
    if (this.#remote === null) return;
    const taken = send(this.#remote.descriptor, bytes as Uint8Array<ArrayBuffer>);
    if (taken < bytes.length) {
      throw connectFailure(
        `${this.#options.where} has closed the connection`,
        ExitCode.unavailable,
      );
    }
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.#options.complain(failure);
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline.cancel();
    this.#handshake?.wipe();
    this.#remote?.close();
    this.#remote = null;
    this.#local.close();
    this.#options.over(this);
  }
}
