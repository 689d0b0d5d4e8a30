/**
 * Connecting to a server on TCP and passing its access check, without blocking.
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
import { TcpConnector } from "../net/tcp_connector.ts";
import type { Channel } from "../protocol/channel.ts";
import type { ClientEvent, ClientHandshake } from "../protocol/client_handshake.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import { handshakeFailure, isReset, overloaded, silent, unreachable } from "./access_failure.ts";

/** How long a server may take to accept a client, attempts included, in milliseconds. */
export const ACCEPT_TIMEOUT_MS = 10_000;
/** How often an access check is tried that the server resets. */
const MAX_ATTEMPTS = 4;
/** The longest pause before another attempt, in milliseconds. */
const MAX_PAUSE_MS = 250;

/** A connection that the server has accepted. */
export interface KeyedServerConnection {
  /** Owned by the receiver. */
  readonly descriptor: Descriptor;
  readonly channel: Channel;
  /** Bytes that were received after ACCEPT, still encrypted. */
  readonly rest: Uint8Array<ArrayBuffer>;
  /** The user that the session acts as. */
  readonly user: string;
  /** The service behind the listener, such as `console`. */
  readonly service: string;
}

/** What the attempts need. */
export interface KeyedConnectOptions {
  readonly reactor: Reactor;
  /** The server's address as text, for messages. */
  readonly where: string;
  /** How long all of it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What the server sends is read into it, a chunk at a time. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** The server's addresses, as they are known now. */
  addresses(): readonly SocketAddress[];
  /** A handshake with the key as it is now. @throws {Failure} When there is no key. */
  handshake(): ClientHandshake;
}

/** Receives how it has ended: one call of one of the first two. */
export interface KeyedConnectHandler {
  /** `rest` lies in the buffer of the options. */
  onAccepted(connection: KeyedServerConnection): void;
  onRefused(failure: Failure): void;
  /** None of the addresses accepts. `onRefused` follows. */
  onUnreachable?(): void;
}

/** The attempts to be accepted by a server. */
export class KeyedConnect implements Watcher, ConnectHandler {
  readonly #options: KeyedConnectOptions;
  readonly #handler: KeyedConnectHandler;
  readonly #deadline: Timer;
  /** Null once connected. */
  #connector: TcpConnector | null = null;
  #attempts = 0;
  /** The pause before another attempt. */
  #pause: Timer | null = null;
  #remote: Registration | null = null;
  #handshake: ClientHandshake | null = null;
  #isOver = false;

  constructor(options: KeyedConnectOptions, handler: KeyedConnectHandler) {
    this.#options = options;
    this.#handler = handler;
    const { reactor, timeoutMs, where } = options;
    this.#deadline = reactor.after(timeoutMs, () => this.#fail(silent(where)));
  }

  /** Starts to connect. The handler is called later. */
  start(): void {
    if (this.#isOver) return;
    const { reactor, timeoutMs } = this.#options;
    this.#attempts++;
    // The deadline covers connecting and the access check.
    this.#connector = new TcpConnector(reactor, this.#options.addresses(), timeoutMs, this);
    const socket = this.#connector.start();
    if (socket !== null) this.onConnected(socket);
  }

  /** Gives up. The handler is not called any more. */
  cancel(): void {
    this.#isOver = true;
    this.#connector?.cancel();
    this.#pause?.cancel();
    this.#deadline.cancel();
    this.#handshake?.wipe();
    this.#remote?.close();
    this.#remote = null;
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
      this.#handler.onUnreachable?.();
      throw unreachable(this.#options.where, error);
    });
  }

  onEvents(): void {
    this.#attempt(() => this.#readAnswer());
  }

  onFault(error: unknown): void {
    this.#fail(asFailure(error, this.#options.where, ExitCode.software));
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
    const chunk = this.#options.buffer;
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
        this.#accept(event);
        return;
      default:
        throw handshakeFailure(this.#options.where, event);
    }
  }

  #accept({ channel, rest, user, service }: ClientEvent & { kind: "accepted" }): void {
    if (this.#remote === null) return;
    const descriptor = new Descriptor(this.#remote.release());
    this.#remote = null;
    this.#handshake = null;
    this.cancel();
    this.#handler.onAccepted({
      descriptor,
      channel,
      rest: rest as Uint8Array<ArrayBuffer>,
      user,
      service,
    });
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
    if (this.#isOver) return;
    this.cancel();
    this.#handler.onRefused(failure);
  }
}

/**
 * How long to wait before an access check is tried again, in milliseconds: at random, because
 * other clients may have been reset at the same time.
 */
function pauseMs(): number {
  return MAX_PAUSE_MS * (0.2 + 0.8 * Math.random());
}
