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
import { newTraceId } from "../protocol/trace_id.ts";
import type { Reactor } from "../reactor/reactor.ts";
import {
  ACCEPT_TIMEOUT_MS,
  KeyedConnect,
  type KeyedConnectHandler,
  type KeyedServerConnection,
} from "./keyed_connect.ts";
import { localClient, type TunnelLog, type TunnelSubject } from "./tunnel_log.ts";

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
  /**
   * A handshake with the key as it is now.
   *
   * @param trace The trace id of the connection.
   * @throws {Failure} When there is no key.
   */
  handshake(trace: string): ClientHandshake;
  readonly log: TunnelLog;
  /** What the log says of each connection. */
  subject(): TunnelSubject;
  /** Reports why a connection failed. @param subject The connection. */
  warn(failure: Failure, subject: TunnelSubject): void;
  /** Both sides of a connection are closed. */
  closed(connection: TunnelConnection): void;
}

/** A local client's connection: connecting to the server, then relayed. */
export class TunnelConnection implements RelayOwner, KeyedConnectHandler {
  readonly #options: TunnelConnectionOptions;
  readonly #local: Descriptor;
  readonly #kind: "unix" | "tcp";
  readonly #attempts: KeyedConnect;
  /** The same for all attempts of this connection. */
  readonly #trace = newTraceId();
  /** What each line of the log about this connection repeats. */
  #subject: TunnelSubject;
  readonly #startedAt = performance.now();
  #relay: Relay | null = null;
  #closed = false;

  /** @param local The local client's connection; owned by the tunnel connection. */
  constructor(options: TunnelConnectionOptions, local: Descriptor, kind: "unix" | "tcp") {
    this.#options = options;
    this.#local = local;
    this.#kind = kind;
    this.#subject = { ...options.subject(), trace: this.#trace };
    if (options.log.isOn) this.#subject = { ...this.#subject, ...localClient(local, kind) };
    this.#attempts = new KeyedConnect({
      reactor: options.reactor,
      where: options.where,
      timeoutMs: ACCEPT_TIMEOUT_MS,
      buffer: options.buffers.read.subarray(0, READ_BYTES),
      addresses: () => options.addresses(),
      handshake: () => options.handshake(this.#trace),
    }, this);
  }

  /** Starts to connect to the server. */
  start(): void {
    this.#attempts.start();
  }

  /** Joins both sides. */
  onAccepted({ descriptor, channel, rest, user, service }: KeyedServerConnection): void {
    const { reactor, buffers, log } = this.#options;
    this.#subject = { ...this.#subject, user };
    log.add({ ...this.#subject, event: "allow", service });
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
    this.#options.warn(failure, this.#subject);
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
  onRelayClosed(outcome: RelayOutcome): void {
    const { reason, brokenEnd } = outcome;
    this.#closed = true;
    this.#logClose(outcome);
    if (reason !== "end" && reason !== "closed" && brokenEnd !== "first") {
      this.#options.warn(
        new Failure(
          `The connection to ${this.#options.where} was cut (${reason}): what a local client has ` +
            "received may be incomplete",
          { exit: ExitCode.data },
        ),
        this.#subject,
      );
    }
    this.#options.closed(this);
  }

  #logClose({ reason, bytesIn, bytesOut, unconfirmedIn, unconfirmedOut }: RelayOutcome): void {
    this.#options.log.add({
      ...this.#subject,
      event: "close",
      reason,
      bytesIn,
      bytesOut,
      // Left out where everything has arrived.
      unconfirmedIn: unconfirmedIn || undefined,
      unconfirmedOut: unconfirmedOut || undefined,
      duration: Math.round(performance.now() - this.#startedAt),
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#attempts.cancel();
    this.#local.close();
    this.#options.closed(this);
  }
}
