/**
 * Members by the source that has brought them, so that one source cannot push out another's.
 *
 * @module
 */
import { RandomSet } from "./random_set.ts";

/** Members by their source; each operation takes the same time, whatever their number. */
export class SourceShares<Member extends { readonly source: string }> {
  readonly #bySource = new Map<string, RandomSet<Member>>();
  /** The sources that have so many members, by that number. */
  readonly #byCount: RandomSet<string>[] = [];
  #largest = 0;
  #size = 0;

  /** The number of members. */
  get size(): number {
    return this.#size;
  }

  /** Adds a member. */
  add(member: Member): void {
    const { source } = member;
    let share = this.#bySource.get(source);
    if (share === undefined) this.#bySource.set(source, share = new RandomSet());
    const before = share.size;
    share.add(member);
    this.#count(source, before, share.size);
  }

  /** Removes a member. @returns Whether it was one. */
  delete(member: Member): boolean {
    const { source } = member;
    const share = this.#bySource.get(source);
    if (!share?.delete(member)) return false;
    if (share.size === 0) this.#bySource.delete(source);
    this.#count(source, share.size + 1, share.size);
    return true;
  }

  /** A random member of a source that has the most of them; undefined when there is none. */
  drawFromLargest(): Member | undefined {
    const source = this.#byCount[this.#largest]?.draw();
    return source === undefined ? undefined : this.#bySource.get(source)?.draw();
  }

  /** The members; they may change during the iteration. */
  [Symbol.iterator](): IterableIterator<Member> {
    return [...this.#bySource.values()].flatMap((share) => [...share])[Symbol.iterator]();
  }

  #count(source: string, before: number, now: number): void {
    this.#size += now - before;
    this.#byCount[before]?.delete(source);
    if (now > 0) (this.#byCount[now] ??= new RandomSet()).add(source);
    // A source gains or loses one member at a time, so the largest share changes by one.
    if (now > this.#largest) this.#largest = now;
    else if (before === this.#largest && this.#byCount[before]!.size === 0) this.#largest = now;
  }
}
