/**
 * A TCP connection whose access check is not finished. Until the client has proved that it holds a
 * key, nothing is started for it and it counts against no user's limit.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import type { HostPort } from "../libc/inet_address.ts";
import { BROKEN, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { drainAndClose } from "../net/drain_and_close.ts";
import type { DenyReason } from "../policy/types.ts";
import type { Accept } from "../protocol/greetings.ts";
import type { ProtocolError } from "../protocol/protocol_error.ts";
import type { ServerEvent, ServerHandshake } from "../protocol/server_handshake.ts";
import { EPOLLIN, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import type { HandshakeContext } from "./data_plane_context.ts";
import type { QueuedHandshake } from "./handshake_queue.ts";
import type { ClientConnection } from "./service.ts";

/** How many bytes are read at once: more than the longest step of the access check. */
const READ_BYTES = 4096;

/** A connection whose client holds a key. It is either accepted or rejected, once. */
export interface AuthenticatedConnection {
  readonly remote: HostPort;
  readonly keyId: string;
  /** The user that the client asks to act as, or null. */
  readonly actsAs: string | null;
  /** Sends ACCEPT. @returns The connection, owned by the caller. */
  accept(answer: Accept): ClientConnection;
  /** Sends REJECT with the reason, and closes. */
  reject(reason: DenyReason): void;
}

/** How an access check ended. */
export type HandshakeResult =
  | { readonly kind: "authenticated"; readonly connection: AuthenticatedConnection }
  /** The connection is closed, without a byte to the client. */
  | {
    readonly kind: "failed";
    readonly remote: HostPort;
    /** The id of the key that the client claims to hold, where it got that far. */
    readonly keyId: string | null;
    readonly reason: DenyReason;
    /** The detail of `bad-key`, or null. */
    readonly error: ProtocolError | null;
  };

/**
 * Runs the server's side of one access check and reports its result, once.
 *
 * @example
 * ```ts
 * new PendingHandshake(context, connection, remote, new ServerHandshake(keyOf), (result) => {
 *   if (result.kind === "authenticated") authorize(result.connection);
 * });
 * ```
 */
export class PendingHandshake implements Watcher, QueuedHandshake {
  readonly #context: HandshakeContext;
  readonly #remote: HostPort;
  readonly #handshake: ServerHandshake;
  readonly #report: (result: HandshakeResult) => void;
  readonly #deadline: Timer;
  #registration: Registration | null;

  /**
   * Starts the access check.
   *
   * @param connection Owned by the handshake, also when this throws.
   * @param report Receives the result.
   */
  constructor(
    context: HandshakeContext,
    connection: Descriptor,
    remote: HostPort,
    handshake: ServerHandshake,
    report: (result: HandshakeResult) => void,
  ) {
    this.#context = context;
    this.#remote = remote;
    this.#handshake = handshake;
    this.#report = report;
    this.#registration = context.reactor.watch(connection, EPOLLIN, this);
    this.#deadline = context.reactor.after(
      context.liveConfig.config.limits.handshakeTimeout,
      () => this.#fail("handshake-timeout"),
    );
    context.handshakes.add(this);
  }

  onEvents(): void {
    const chunk = this.#context.buffers.read.subarray(0, READ_BYTES);
    while (this.#registration !== null) {
      const count = receive(this.#registration.descriptor, chunk);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN || count === 0) {
        this.#fail("bad-key", "truncated");
        return;
      }
      this.#context.handshakes.markActive(this);
      for (const event of this.#handshake.push(chunk.subarray(0, count))) this.#handle(event);
    }
  }

  /** An internal error is a denial. */
  onFault(): void {
    this.#fail("bad-key");
  }

  evict(reason: "over-limit" | "handshake-timeout"): void {
    this.#fail(reason);
  }

  #handle(event: ServerEvent): void {
    if (this.#registration === null) return;
    switch (event.kind) {
      case "send":
        // A connection that has carried no bytes yet has space for so few.
        if (this.#send(event.bytes) < event.bytes.length) this.#fail("bad-key", "truncated");
        return;
      case "failed":
        this.#fail("bad-key", event.error);
        return;
      case "hello":
        this.#deadline.cancel();
        this.#context.handshakes.remove(this);
        this.#report({
          kind: "authenticated",
          connection: {
            remote: this.#remote,
            keyId: event.keyId,
            actsAs: event.user,
            accept: (answer) => this.#accept(answer, event.rest),
            reject: (reason) => this.#reject(reason),
          },
        });
        return;
    }
  }

  #accept(answer: Accept, received: Uint8Array): ClientConnection {
    const { bytes, channel } = this.#handshake.accept(answer);
    const sent = Math.max(0, this.#send(bytes));
    const registration = this.#registration;
    if (registration === null) throw new Error("a closed connection was accepted");
    this.#registration = null;
    return {
      descriptor: new Descriptor(registration.release()),
      kind: "tcp",
      seal: channel,
      received,
      unsent: sent < bytes.length ? bytes.subarray(sent) : null,
    };
  }

  #reject(reason: DenyReason): void {
    this.#send(this.#handshake.reject(reason));
    this.#close();
  }

  #send(bytes: Uint8Array): number {
    if (this.#registration === null) return BROKEN;
    return send(this.#registration.descriptor, bytes as Uint8Array<ArrayBuffer>);
  }

  #fail(reason: DenyReason, error: ProtocolError | null = null): void {
    if (this.#registration === null) return;
    const keyId = this.#handshake.claimedKeyId;
    this.#close();
    this.#report({ kind: "failed", remote: this.#remote, keyId, reason, error });
  }

  #close(): void {
    const registration = this.#registration;
    if (registration === null) return;
    this.#registration = null;
    this.#deadline.cancel();
    this.#context.handshakes.remove(this);
    this.#handshake.wipe();
    drainAndClose(new Descriptor(registration.release()));
  }
}
