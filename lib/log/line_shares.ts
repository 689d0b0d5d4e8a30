/**
 * A bounded amount of space for lines, shared out between those that they are about.
 *
 * @module
 */

/**
 * Space for lines. A subject has space as long as it holds no more than what is free. So one
 * subject fills half of it at most, a second one half of the rest, and there is always space for
 * one that holds little ("dynamic thresholds", as in the shared memory of switches).
 */
export class LineShares {
  readonly #capacity: number;
  readonly #held = new Map<string, number>();
  #used = 0;

  /** @param capacity How much lines may take together. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Takes space for a line.
   *
   * @param subjects What it is about, by `subjectsOf`: each a part of the one before. Each needs
   * space.
   * @param reserve How much more has to be free.
   * @returns Whether there was space; if not, nothing is taken.
   */
  take(subjects: readonly string[], size: number, reserve = 0): boolean {
    let free = this.#capacity - this.#used - reserve;
    for (const subject of subjects) {
      const held = this.#heldBy(subject);
      if (held + size > free) return false;
      // What the next one, a part of this one, may hold: no part fills the share of all parts.
      free -= held;
    }
    for (const subject of subjects) this.#held.set(subject, this.#heldBy(subject) + size);
    this.#used += size;
    return true;
  }

  /** Gives back the space of a line. */
  release(subjects: readonly string[], size: number): void {
    for (const subject of subjects) {
      const left = this.#heldBy(subject) - size;
      if (left > 0) this.#held.set(subject, left);
      else this.#held.delete(subject);
    }
    this.#used -= size;
  }

  #heldBy(subject: string): number {
    // A subject without an entry holds nothing: zero is the amount, not a default.
    return this.#held.get(subject) ?? 0;
  }
}
