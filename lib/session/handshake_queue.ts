/**
 * The access checks in progress: bounded in number, and shared out between their sources.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import { SourceShares } from "./source_shares.ts";

/** An access check in progress. */
export interface QueuedHandshake {
  /** Where it comes from, such as an address. */
  readonly source: string;
  /** Whether its first message was made with a key of the listener. It may be a replay. */
  readonly hasOpened: boolean;
  /** Closes the connection and logs the denial. */
  evict(reason: EvictionReason): void;
}

/** Why an access check was ended from outside. */
export type EvictionReason = "over-limit" | "handshake-timeout";

/** The access checks in progress, as a data plane sees them. */
export interface HandshakeQueue {
  /** How many access checks are in progress. */
  readonly size: number;
  /** Adds an access check. At the limit, another one is evicted. */
  add(handshake: QueuedHandshake): void;
  /** Records that an access check has opened. */
  markOpened(handshake: QueuedHandshake): void;
  /** Removes an access check that has ended. */
  remove(handshake: QueuedHandshake): void;
  /** Ends every access check of this plane, when the server stops. */
  clear(): void;
}

/**
 * A bounded number of access checks of the only data plane. They do not count against the limit of
 * connections.
 *
 * At the limit one is evicted: of the source that has the most, a random one. An access check that
 * has not opened gives way to one that has: only a holder of a key makes progress, and a client
 * that holds one sends its first message at once. Those that have opened give way to others where
 * they fill more than half of the queue, because a recorded first message opens, too.
 */
export class OwnHandshakeQueue implements HandshakeQueue {
  readonly #limit: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #unopened = new SourceShares<QueuedHandshake>();
  readonly #opened = new SourceShares<QueuedHandshake>();

  /**
   * @param limit How many access checks may be in progress now.
   * @param onError Receives what an eviction threw. It keeps no other access check from its own.
   */
  constructor(limit: () => number, onError: (error: unknown) => void) {
    this.#limit = limit;
    this.#onError = onError;
  }

  get size(): number {
    return this.#unopened.size + this.#opened.size;
  }

  add(handshake: QueuedHandshake): void {
    const limit = this.#limit();
    while (this.size > 0 && this.size >= limit) this.#evictOneFor(handshake, limit);
    (handshake.hasOpened ? this.#opened : this.#unopened).add(handshake);
  }

  markOpened(handshake: QueuedHandshake): void {
    if (this.#unopened.delete(handshake)) this.#opened.add(handshake);
  }

  remove(handshake: QueuedHandshake): void {
    if (!this.#unopened.delete(handshake)) this.#opened.delete(handshake);
  }

  clear(): void {
    for (const handshake of [...this.#unopened, ...this.#opened]) {
      this.#evict(handshake, "handshake-timeout");
    }
  }

  #evictOneFor({ hasOpened }: QueuedHandshake, limit: number): void {
    const opened = this.#opened.size + (hasOpened ? 1 : 0);
    // Where none of the full queue is unopened, they are more than half of it.
    const isFromOpened = this.#opened.size > 0 && 2 * opened > limit;
    const handshake = (isFromOpened ? this.#opened : this.#unopened).drawFromLargest();
    if (handshake === undefined) throw new Error("a full queue of access checks is empty");
    this.#evict(handshake, "over-limit");
  }

  #evict(handshake: QueuedHandshake, reason: EvictionReason): void {
    this.remove(handshake);
    guardEach([handshake], (one) => one.evict(reason), this.#onError);
  }
}
