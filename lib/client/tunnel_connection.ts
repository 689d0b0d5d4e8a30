/**
 * One connection of a tunnel: from a local client to the server.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import type { SocketAddress } from "../libc/inet_address.ts";
import { Relay } from "../net/relay.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { RelayOutcome, RelayOwner } from "../net/relay_outcome.ts";
import type { ClientHandshake } from "../protocol/client_handshake.ts";
import type { Reactor } from "../reactor/reactor.ts";
import {
  ACCEPT_TIMEOUT_MS,
  KeyedConnect,
  type KeyedConnectHandler,
  type KeyedServerConnection,
} from "./keyed_connect.ts";

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
export class TunnelConnection implements RelayOwner, KeyedConnectHandler {
  readonly #options: TunnelConnectionOptions;
  readonly #local: Descriptor;
  readonly #kind: "unix" | "tcp";
  readonly #attempts: KeyedConnect;
  #relay: Relay | null = null;
  #closed = false;

  /** @param local The local client's connection; owned by the tunnel connection. */
  constructor(options: TunnelConnectionOptions, local: Descriptor, kind: "unix" | "tcp") {
    this.#options = options;
    this.#local = local;
    this.#kind = kind;
    this.#attempts = new KeyedConnect({
      reactor: options.reactor,
      where: options.where,
      timeoutMs: ACCEPT_TIMEOUT_MS,
      buffer: options.buffers.read.subarray(0, READ_BYTES),
      addresses: () => options.addresses(),
      handshake: () => options.handshake(),
    }, this);
  }

  /** Starts to connect to the server. */
  start(): void {
    this.#attempts.start();
  }

  /** Joins both sides. */
  onAccepted({ descriptor, channel, rest }: KeyedServerConnection): void {
    const { reactor, buffers } = this.#options;
    this.#relay = new Relay(
      reactor,
      buffers,
      { descriptor: this.#local, kind: this.#kind, seal: null },
      { descriptor, kind: "tcp", seal: channel, received: rest },
      this,
    );
  }

  onRefused(failure: Failure): void {
    if (this.#closed) return;
    this.#options.warn(failure);
    this.#close();
  }

  onUnreachable(): void {
    this.#options.unreachable();
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

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#attempts.cancel();
    this.#local.close();
    this.#options.closed(this);
  }
}
