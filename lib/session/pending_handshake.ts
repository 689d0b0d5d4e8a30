/**
 * Someone on the way through the access check. Nothing is started for them, and nothing counted to
 * anybody's account, before they have shown that they hold a key.
 *
 * @module
 */
import type { Channel } from "../protocol/channel.ts";
import type { Accept } from "../protocol/greetings.ts";
import type { ProtocolError } from "../protocol/protocol_error.ts";
import type { ServerEvent, ServerHandshake } from "../protocol/server_handshake.ts";
import { Descriptor } from "../libc/descriptor.ts";
import type { HostPort } from "../libc/inet_address.ts";
import { BROKEN, receive, send, WOULD_BLOCK } from "../libc/sockets.ts";
import type { DenyReason } from "../policy/types.ts";
import { EPOLLIN, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";
import { drainAndClose } from "../net/acceptor.ts";
import type { DataPlaneContext } from "./data_plane_context.ts";
import type { QueuedHandshake } from "./handshake_queue.ts";

/** How much is read at once: no step of the access check is longer. */
const CHUNK = 4096;

/** Someone who holds a key and waits for the decision. Exactly one of the two answers is given. */
export interface AuthenticatedConnection {
  readonly remote: HostPort;
  readonly keyId: string;
  /** Whom it wants to act as, or null. */
  readonly actsAs: string | null;
  /** What it has sent already behind its HELLO, sealed. */
  readonly rest: Uint8Array;
  /** Lets it in. The connection is the caller's from here on. */
  accept(answer: Accept): { descriptor: Descriptor; channel: Channel; unsent: Uint8Array | null };
  /** Tells it why not, and closes. */
  reject(reason: string): void;
}

/** Who decides. */
export interface HandshakeHandler {
  admit(knock: AuthenticatedConnection): void;
  refuse(
    who: { readonly remote: HostPort; readonly keyId: string | null },
    reason: DenyReason,
    user: string | null,
    detail?: ProtocolError,
  ): void;
}

/** A connection whose access check is not finished. */
export class PendingHandshake implements Watcher, QueuedHandshake {
  readonly #context: DataPlaneContext;
  readonly #host: HandshakeHandler;
  readonly #remote: HostPort;
  readonly #handshake: ServerHandshake;
  readonly #deadline: Timer;
  #registration: Registration | null;

  /** Begins to wait. @param connection Belongs to the arrival from here on, also when this throws. */
  constructor(
    context: DataPlaneContext,
    host: HandshakeHandler,
    connection: Descriptor,
    remote: HostPort,
    handshake: ServerHandshake,
  ) {
    this.#context = context;
    this.#host = host;
    this.#remote = remote;
    this.#handshake = handshake;
    this.#registration = context.reactor.watch(connection, EPOLLIN, this);
    this.#deadline = context.reactor.after(
      context.liveConfig.config.limits.handshakeTimeout,
      () => this.#refuse("handshake-timeout"),
    );
    context.handshakes.add(this);
  }

  onEvents(): void {
    const chunk = this.#context.buffers.read.subarray(0, CHUNK);
    while (this.#registration !== null) {
      const count = receive(this.#registration.descriptor, chunk);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN || count === 0) {
        this.#refuse("bad-key", "truncated");
        return;
      }
      this.#context.handshakes.markActive(this);
      for (const event of this.#handshake.push(chunk.subarray(0, count))) this.#take(event);
    }
  }

  /** A bug of ours is no way in. */
  onFault(error: unknown): void {
    this.#context.events.logError(error);
    this.#refuse("bad-key");
  }

  evict(reason: "over-limit" | "handshake-timeout"): void {
    this.#refuse(reason);
  }

  #take(event: ServerEvent): void {
    if (this.#registration === null) return;
    switch (event.kind) {
      case "send":
        // So few bytes always fit into a connection that has carried none.
        if (this.#send(event.bytes) < event.bytes.length) this.#refuse("bad-key", "truncated");
        return;
      case "failed":
        this.#refuse("bad-key", event.error);
        return;
      case "hello": {
        const { keyId, user: actsAs, rest } = event;
        this.#deadline.cancel();
        this.#context.handshakes.remove(this);
        this.#host.admit({
          remote: this.#remote,
          keyId,
          actsAs,
          rest,
          accept: (answer) => this.#accept(answer),
          reject: (reason) => this.#reject(reason),
        });
        return;
      }
    }
  }

  #accept(answer: Accept): ReturnType<AuthenticatedConnection["accept"]> {
    const { bytes, channel } = this.#handshake.accept(answer);
    const taken = Math.max(0, this.#send(bytes));
    const registration = this.#registration;
    if (registration === null) throw new Error("an arrival was let in after it was gone");
    this.#registration = null;
    return {
      descriptor: new Descriptor(registration.release()),
      channel,
      unsent: taken < bytes.length ? bytes.subarray(taken) : null,
    };
  }

  #reject(reason: string): void {
    this.#send(this.#handshake.reject(reason));
    this.#close();
  }

  #send(bytes: Uint8Array): number {
    if (this.#registration === null) return BROKEN;
    return send(this.#registration.descriptor, bytes as Uint8Array<ArrayBuffer>);
  }

  #refuse(reason: DenyReason, detail?: ProtocolError): void {
    if (this.#registration === null) return;
    const keyId = this.#handshake.claimedKeyId;
    this.#close();
    this.#host.refuse({ remote: this.#remote, keyId }, reason, null, detail);
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
