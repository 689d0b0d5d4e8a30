/**
 * The access checks in progress: bounded in number. A client that sends nothing never keeps out one
 * that does.
 *
 * @module
 */

/** An access check in progress. */
export interface QueuedHandshake {
  /** Closes the connection and logs the denial. */
  evict(reason: "over-limit" | "handshake-timeout"): void;
}

/** A bounded number of access checks. They do not count against the limit of connections. */
export class HandshakeQueue {
  readonly #limit: () => number;
  // Both in the order of their start. Only `#idle` ones have received nothing yet.
  readonly #idle = new Set<QueuedHandshake>();
  readonly #active = new Set<QueuedHandshake>();

  /** @param limit How many access checks may be in progress now. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** How many access checks are in progress. */
  get size(): number {
    return this.#idle.size + this.#active.size;
  }

  /**
   * Adds an access check. At the limit, the oldest idle one is evicted, else the oldest: a client
   * that holds a key sends its first message at once.
   */
  add(handshake: QueuedHandshake): void {
    while (this.size > 0 && this.size >= this.#limit()) {
      const [oldest] = this.#idle.size > 0 ? this.#idle : this.#active;
      if (oldest === undefined) break;
      this.remove(oldest);
      oldest.evict("over-limit");
    }
    this.#idle.add(handshake);
  }

  /** Records that the client has sent something. */
  markActive(handshake: QueuedHandshake): void {
    if (this.#idle.delete(handshake)) this.#active.add(handshake);
  }

  /** Removes an access check that has ended. */
  remove(handshake: QueuedHandshake): void {
    if (!this.#idle.delete(handshake)) this.#active.delete(handshake);
  }

  /** Ends every access check, when the server stops. */
  clear(): void {
    for (const handshake of [...this.#idle, ...this.#active]) {
      this.remove(handshake);
      handshake.evict("handshake-timeout");
    }
  }
}
