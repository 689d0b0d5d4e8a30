/**
 * Those who are on their way through the access check: bounded in number, and so that those who do nothing
 * never keep out those who do.
 *
 * @module
 */

/** Someone who waits. */
export interface QueuedHandshake {
  /** The connection is closed. */
  evict(reason: "over-limit" | "handshake-timeout"): void;
}

/** A bounded number of unfinished handshakes. They count apart from the connections. */
export class HandshakeQueue {
  readonly #limit: () => number;
  // In the order in which they came. Whoever has said nothing stands in the first.
  readonly #silent = new Set<QueuedHandshake>();
  readonly #talking = new Set<QueuedHandshake>();

  /** @param limit How many there may be now. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** How many wait. */
  get size(): number {
    return this.#silent.size + this.#talking.size;
  }

  /**
   * Lets someone in. Where the room is full, who has waited longest without a word gives way; a client
   * that holds a key speaks at once.
   */
  add(one: QueuedHandshake): void {
    while (this.size > 0 && this.size >= this.#limit()) {
      const [oldest] = this.#silent.size > 0 ? this.#silent : this.#talking;
      if (oldest === undefined) break;
      this.remove(oldest);
      oldest.evict("over-limit");
    }
    this.#silent.add(one);
  }

  /** Someone has said something. */
  markActive(one: QueuedHandshake): void {
    if (this.#silent.delete(one)) this.#talking.add(one);
  }

  /** Someone is through, or gone. */
  remove(one: QueuedHandshake): void {
    if (!this.#silent.delete(one)) this.#talking.delete(one);
  }

  /** Sends everyone away: there is no more time. */
  clear(): void {
    for (const one of [...this.#silent, ...this.#talking]) {
      this.remove(one);
      one.evict("handshake-timeout");
    }
  }
}
