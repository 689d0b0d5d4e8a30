/**
 * A set whose members can be drawn at random.
 *
 * @module
 */
import { randomBytes } from "../noise/primitives.ts";

/** A number from 0 to below a limit, which no client can predict. */
export function randomBelow(limit: number): number {
  return new DataView(randomBytes(4).buffer).getUint32(0) % limit;
}

/** A set; each operation takes the same time, whatever its size. */
export class RandomSet<Member> {
  readonly #members: Member[] = [];
  readonly #positions = new Map<Member, number>();

  /** The number of members. */
  get size(): number {
    return this.#members.length;
  }

  /** Adds a member, once. */
  add(member: Member): void {
    if (this.#positions.has(member)) return;
    this.#positions.set(member, this.#members.push(member) - 1);
  }

  /** Removes a member. @returns Whether it was one. */
  delete(member: Member): boolean {
    const position = this.#positions.get(member);
    if (position === undefined) return false;
    this.#positions.delete(member);
    const last = this.#members.pop()!;
    if (last === member) return true;
    this.#members[position] = last;
    this.#positions.set(last, position);
    return true;
  }

  /**
   * A member, each with the same probability; undefined when there is none. No client can predict
   * which.
   */
  draw(): Member | undefined {
    const { length } = this.#members;
    return this.#members[length <= 1 ? 0 : randomBelow(length)];
  }

  /** The members; the set may change during the iteration. */
  [Symbol.iterator](): IterableIterator<Member> {
    return [...this.#members][Symbol.iterator]();
  }
}
