/**
 * One connection of a tunnel: from a local client to the server.
 *
 * @module
 */
import { asFailure, ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import type { SocketAddress } from "../libc/inet_address.ts";
import { BROKEN, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { setTcpOptions } from "../libc/tcp_socket.ts";
import type { ConnectError, ConnectHandler } from "../net/connector.ts";
import { Relay } from "../net/relay.ts";
import type { RelayOutcome, RelayOwner } from "../net/relay_outcome.ts";
import { TcpConnector } from "../net/tcp_connector.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { ClientEvent, ClientHandshake } from "../protocol/client_handshake.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import { connectFailure } from "./connect_failure.ts";
import {
  handshakeFailure,
  isReset,
  MAX_ATTEMPTS,
  overloaded,
  pauseMs,
  unreachable,
} from "./connect_tcp.ts";

/** How long a server may take to accept a client, in milliseconds. */
const ACCEPT_TIMEOUT_MS = 10_000;
/** How many bytes are read at once during the access check. */
const READ_BYTES = 4096;

/** What the connections of a tunnel share. */
export interface TunnelConnectionOptions {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
  /** The server's address as text. */
  readonly where: string;
  /** The server's addresses, as they are known now. */
  addresses(): readonly SocketAddress[];
  /** None of the addresses accepts. */
  unreachable(): void;
  /** A handshake with the key as it is now. @throws {Failure} When there is no key. */
  handshake(): ClientHandshake;
  /** Reports why a connection failed. */
  warn(failure: Failure): void;
  /** Both sides of a connection are closed. */
  closed(connection: TunnelConnection): void;
}

/** A local client's connection: connecting to the server, then relayed. */
export class TunnelConnection implements Watcher, RelayOwner, ConnectHandler {
  readonly #options: TunnelConnectionOptions;
  readonly #local: Descriptor;
  readonly #kind: "unix" | "tcp";
  /** Null once connected. */
  #connector: TcpConnector | null = null;
  #attempts = 0;
  /** The pause before another attempt. */
  #pause: Timer | null = null;
  readonly #deadline: Timer;
  #remote: Registration | null = null;
  #handshake: ClientHandshake | null = null;
  #relay: Relay | null = null;
  #closed = false;

  /** @param local The local client's connection; owned by the tunnel connection. */
  constructor(options: TunnelConnectionOptions, local: Descriptor, kind: "unix" | "tcp") {
    this.#options = options;
    this.#local = local;
    this.#kind = kind;
    const { reactor, where } = options;
    this.#deadline = reactor.after(
      ACCEPT_TIMEOUT_MS,
      () => this.#fail(connectFailure(`${where} does not answer`, ExitCode.unavailable)),
    );
  }

  /** Starts to connect to the server. */
  start(): void {
    const { reactor } = this.#options;
    this.#attempts++;
    // The deadline of the connection covers connecting and the access check.
    this.#connector = new TcpConnector(reactor, this.#options.addresses(), ACCEPT_TIMEOUT_MS, this);
    const socket = this.#connector.start();
    if (socket !== null) this.onConnected(socket);
  }

  onConnected(socket: Descriptor): void {
    this.#connector = null;
    this.#attempt(() => {
      this.#remote = this.#options.reactor.watch(socket, EPOLLIN, this);
      setTcpOptions(socket);
      this.#handshake = this.#options.handshake();
      this.#send(this.#handshake.start());
    });
  }

  onConnectError(error: ConnectError): void {
    this.#attempt(() => {
      if (isReset(error)) return this.#tryAgain();
      this.#options.unreachable();
      throw unreachable(this.#options.where, error);
    });
  }

  onEvents(): void {
    this.#attempt(() => this.#readAnswer());
  }

  onFault(): void {
    this.#close();
  }

  /** Closes both sides at once. */
  abort(): void {
    if (this.#relay !== null) this.#relay.abort("closed");
    else this.#close();
  }

  /** Both sides are closed. A local client on a Unix socket cannot tell a cut from an end. */
  onRelayClosed({ reason, brokenEnd }: RelayOutcome): void {
    this.#closed = true;
    if (reason !== "end" && reason !== "closed" && brokenEnd !== "first") {
      this.#options.warn(
        new Failure(
          `The connection to ${this.#options.where} was cut (${reason}): what a local client has ` +
            "received may be incomplete",
          { exit: ExitCode.data },
        ),
      );
    }
    this.#options.closed(this);
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof Failure) this.#fail(error);
      else if (error instanceof SystemError) {
        this.#fail(unreachable(this.#options.where, { kind: "system", cause: error }));
      } else this.#fail(asFailure(error, this.#options.where, ExitCode.software));
    }
  }

  #readAnswer(): void {
    const chunk = this.#options.buffers.read.subarray(0, READ_BYTES);
    while (this.#remote !== null && this.#handshake !== null) {
      const count = receive(this.#remote.descriptor, chunk);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN) {
        this.#tryAgain();
        return;
      }
      const events = count === 0
        ? [this.#handshake.end()]
        : this.#handshake.push(chunk.subarray(0, count));
      for (const event of events) this.#handle(event);
    }
  }

  #handle(event: ClientEvent): void {
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

  /** A connection that has carried no bytes yet has space for the messages of an access check. */
  #send(bytes: Uint8Array): void {
    if (this.#remote === null) return;
    const sent = send(this.#remote.descriptor, bytes as Uint8Array<ArrayBuffer>);
    if (sent < bytes.length) this.#tryAgain();
  }

  /** The server has reset the connection, so it has not refused the key. */
  #tryAgain(): void {
    const { reactor, where } = this.#options;
    this.#handshake?.wipe();
    this.#handshake = null;
    this.#remote?.close();
    this.#remote = null;
    if (this.#attempts >= MAX_ATTEMPTS) throw overloaded(where);
    this.#pause = reactor.after(pauseMs(), () => this.#attempt(() => this.start()));
  }

  #fail(failure: Failure): void {
    if (this.#closed) return;
    this.#options.warn(failure);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connector?.cancel();
    this.#pause?.cancel();
    this.#deadline.cancel();
    this.#handshake?.wipe();
    this.#remote?.close();
    this.#remote = null;
    this.#local.close();
    this.#options.closed(this);
  }
}
