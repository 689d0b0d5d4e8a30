/**
 * A TCP connection whose access check is not finished. Until the client has proved that it holds a
 * key, nothing is started for it and it counts against no user's limit.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import type { HostPort } from "../libc/inet_address.ts";
import { BROKEN, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import { drainAndClose, resetAndClose } from "../net/drain_and_close.ts";
import { sourceNetwork } from "../net/source_network.ts";
import type { DenyReason } from "../policy/types.ts";
import type { Accept } from "../protocol/greetings.ts";
import type { ProtocolError } from "../protocol/protocol_error.ts";
import { traceIdOf } from "../protocol/trace_id.ts";
import type { ServerEvent, ServerHandshake } from "../protocol/server_handshake.ts";
import { EPOLLIN, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import type { HandshakeContext } from "./data_plane_context.ts";
import type { EvictionReason, QueuedHandshake } from "./handshake_queue.ts";
import type { ClientConnection } from "./service.ts";

/** How many bytes are read at once: more than the longest step of the access check. */
const READ_BYTES = 4096;

/** A connection whose client holds a key. It is either accepted or rejected, once. */
export interface AuthenticatedConnection {
  readonly remote: HostPort;
  readonly keyId: string;
  /** The user that the client asks to act as, or null. */
  readonly actsAs: string | null;
  /** The trace id that the client has sent. */
  readonly trace: string | undefined;
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

/** What an access check asks and tells its endpoint. */
export interface HandshakeHandler {
  /**
   * Whether a key can be unknown only because a file cannot be read. It does not depend on the key:
   * a client without one does not find out which ids have one.
   */
  isUndecided(): boolean;
  /**
   * Receives the result.
   *
   * @returns After how many milliseconds an `authenticated` result is to be reported again, because
   * it can be neither accepted nor rejected now; else 0.
   */
  onResult(result: HandshakeResult): number;
}

/**
 * Runs the server's side of one access check and reports its result.
 *
 * @example
 * ```ts
 * new PendingHandshake(context, connection, remote, new ServerHandshake(keyOf), {
 *   isUndecided: () => false,
 *   onResult: (result) => result.kind === "authenticated" ? authorize(result.connection) : 0,
 * });
 * ```
 */
export class PendingHandshake implements Watcher, QueuedHandshake {
  readonly #context: HandshakeContext;
  readonly #remote: HostPort;
  readonly #handshake: ServerHandshake;
  readonly #handler: HandshakeHandler;
  /** Null once the connection is closed or handed on. */
  #connection: Descriptor | null;
  /** Null until the client is waited for. */
  #registration: Registration | null = null;
  #deadline: Timer | null = null;
  /** Whether nothing is read of the client, because nothing can be decided now. */
  #isPaused = false;
  /** Whether the client was let in: an error after that is no denial. */
  #isAccepted = false;
  readonly source: string;

  /**
   * Starts the access check. What the client has sent before it was accepted is read now: most
   * clients that hold a key have sent their first message, and open before another one can evict
   * them; a first message that does not open takes no place in the queue.
   *
   * @param connection Owned by the handshake, also when this throws.
   * @param handler Receives the result.
   */
  constructor(
    context: HandshakeContext,
    connection: Descriptor,
    remote: HostPort,
    handshake: ServerHandshake,
    handler: HandshakeHandler,
  ) {
    this.#context = context;
    this.#remote = remote;
    this.#handshake = handshake;
    this.#handler = handler;
    this.#connection = connection;
    this.source = sourceNetwork(remote.host);
    try {
      this.#read();
    } catch (error) {
      this.onFault();
      throw error;
    }
    if (this.#connection !== null) this.#wait(connection);
  }

  get hasOpened(): boolean {
    return this.#handshake.hasOpened;
  }

  onEvents(): void {
    // Of a paused connection only its end is reported, and would be in every turn.
    if (this.#isPaused) this.#fail("bad-key", "truncated");
    else this.#read();
  }

  /** An internal error is a denial. */
  onFault(): void {
    this.#fail("bad-key");
  }

  evict(reason: EvictionReason): void {
    this.#fail(reason);
  }

  /** Waits for the rest of the access check, in a place of the queue. */
  #wait(connection: Descriptor): void {
    const { reactor, liveConfig, handshakes } = this.#context;
    this.#registration = reactor.watch(connection, this.#isPaused ? 0 : EPOLLIN, this);
    this.#deadline = reactor.after(
      liveConfig.config.limits.handshakeTimeout,
      () => this.#fail("handshake-timeout"),
    );
    handshakes.add(this);
  }

  #read(): void {
    const chunk = this.#context.buffers.read.subarray(0, READ_BYTES);
    while (this.#connection !== null && !this.#isPaused) {
      const count = receive(this.#connection, chunk);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN || count === 0) {
        this.#fail("bad-key", "truncated");
        return;
      }
      this.#handleAll(this.#handshake.push(chunk.subarray(0, count)));
      // Where more has arrived, the reactor reports it again.
      if (count < READ_BYTES) return;
    }
  }

  #handleAll(events: readonly ServerEvent[]): void {
    for (const event of events) this.#handle(event);
  }

  #handle(event: ServerEvent): void {
    if (this.#connection === null) return;
    switch (event.kind) {
      case "delayed":
        this.#pause(event.wait, () => this.#handleAll(this.#handshake.resume()));
        return;
      case "send":
        // Message 2: the answer to a first message that was made with the key.
        this.#context.handshakes.markOpened(this);
        // A connection that has carried no bytes yet has space for so few.
        if (this.#send(event.bytes) < event.bytes.length) this.#fail("bad-key", "truncated");
        return;
      case "failed":
        this.#fail("bad-key", event.error);
        return;
      case "hello": {
        let { rest } = event;
        this.#offer({
          remote: this.#remote,
          keyId: event.keyId,
          actsAs: event.user,
          trace: traceIdOf(event.client),
          accept: (answer) => this.#accept(answer, rest),
          reject: (reason) => this.#reject(reason),
        });
        // It lies in the memory that the next connection is read into.
        if (this.#isPaused) rest = rest.slice();
        return;
      }
    }
  }

  #offer(connection: AuthenticatedConnection): void {
    const wait = this.#handler.onResult({ kind: "authenticated", connection });
    if (wait > 0) this.#pause(wait, () => this.#offer(connection));
  }

  /** Stays in its place of the queue, within its deadline, and reads nothing for a time. */
  #pause(wait: number, next: () => void): void {
    this.#isPaused = true;
    this.#registration?.update(0);
    this.#context.reactor.after(wait, () => {
      if (this.#connection === null) return;
      this.#isPaused = false;
      try {
        next();
      } catch (error) {
        this.onFault();
        throw error;
      }
      if (!this.#isPaused) this.#registration?.update(EPOLLIN);
    });
  }

  #accept(answer: Accept, received: Uint8Array): ClientConnection {
    this.#isAccepted = true;
    const { bytes, channel } = this.#handshake.accept(answer);
    const sent = Math.max(0, this.#send(bytes));
    return {
      descriptor: this.#release(),
      kind: "tcp",
      seal: channel,
      received,
      unsent: sent < bytes.length ? bytes.subarray(sent) : null,
    };
  }

  #reject(reason: DenyReason): void {
    this.#send(this.#handshake.reject(reason));
    this.#close(drainAndClose);
  }

  #send(bytes: Uint8Array): number {
    if (this.#connection === null) return BROKEN;
    return send(this.#connection, bytes as Uint8Array<ArrayBuffer>);
  }

  #fail(reason: DenyReason, error: ProtocolError | null = null): void {
    if (this.#isAccepted) this.#close(resetAndClose);
    if (this.#connection === null) return;
    const keyId = this.#handshake.claimedKeyId;
    // A reset says that nothing was decided about the key; end-of-file, that it was refused.
    const isRefused = reason === "bad-key" && !(error === "bad-key" && this.#handler.isUndecided());
    this.#close(isRefused ? drainAndClose : resetAndClose);
    this.#handler.onResult({ kind: "failed", remote: this.#remote, keyId, reason, error });
  }

  #close(close: (connection: Descriptor) => void): void {
    if (this.#connection === null) return;
    this.#handshake.wipe();
    close(this.#release());
  }

  /** The connection, which is watched no more. */
  #release(): Descriptor {
    const connection = this.#connection;
    if (connection === null) throw new Error("a closed connection was released");
    this.#connection = null;
    this.#deadline?.cancel();
    this.#context.handshakes.remove(this);
    const registration = this.#registration;
    this.#registration = null;
    return registration === null ? connection : new Descriptor(registration.release());
  }
}
