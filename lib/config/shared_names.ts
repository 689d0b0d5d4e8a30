/**
 * Names in memory that threads share. Of 100,000 names, a thread that gets them has no object.
 *
 * @module
 */

/**
 * The memory of a {@linkcode SharedNames}, as it is sent to a thread. It has no typed arrays: what
 * receives it there looks at each element of an array.
 */
export interface NamesData {
  /** The UTF-16 code units of all names, one behind the other. */
  readonly units: SharedArrayBuffer;
  /** Where each name ends: numbers of 32 bits. */
  readonly ends: SharedArrayBuffer;
  /** The names' indexes in the order of their code units: numbers of 32 bits. */
  readonly order: SharedArrayBuffer;
}

/** A list of names, each of which is found by binary search. */
export class SharedNames {
  readonly #units: Uint16Array;
  readonly #ends: Uint32Array;
  readonly #order: Uint32Array;

  constructor({ units, ends, order }: NamesData) {
    this.#units = new Uint16Array(units);
    this.#ends = new Uint32Array(ends);
    this.#order = new Uint32Array(order);
  }

  /** Writes names to memory that threads share. */
  static dataOf(names: readonly string[]): NamesData {
    const length = names.reduce((sum, name) => sum + name.length, 0);
    const units = new Uint16Array(new SharedArrayBuffer(2 * length));
    const ends = sharedNumbers(names.length);
    let end = 0;
    for (const [index, name] of names.entries()) {
      for (let offset = 0; offset < name.length; offset++) units[end++] = name.charCodeAt(offset);
      ends[index] = end;
    }
    // No name stands twice.
    const byUnits = (one: number, other: number) => names[one]! < names[other]! ? -1 : 1;
    const order = sharedOrder(names.length, byUnits);
    return { units: units.buffer, ends: ends.buffer, order: order.buffer };
  }

  get length(): number {
    return this.#ends.length;
  }

  /** The name of an index. @throws {RangeError} Where there is none. */
  at(index: number): string {
    const name = this.#units.subarray(this.#start(index), this.#end(index));
    return String.fromCharCode.apply(null, name as unknown as number[]);
  }

  /** The index of a name, or −1. */
  indexOf(name: string): number {
    return searchOrder(this.#order, (index) => this.#compare(index, name));
  }

  /** Whether the name of an index is that of an index in another list. */
  isSame(index: number, others: SharedNames, other: number): boolean {
    const start = this.#start(index);
    const length = this.#end(index) - start;
    const from = others.#start(other);
    if (others.#end(other) - from !== length) return false;
    for (let offset = 0; offset < length; offset++) {
      if (this.#units[start + offset] !== others.#units[from + offset]) return false;
    }
    return true;
  }

  /** Below 0 where the name of an index comes before another one, above 0 where behind it. */
  #compare(index: number, name: string): number {
    const start = this.#start(index);
    const length = this.#end(index) - start;
    const common = Math.min(length, name.length);
    for (let offset = 0; offset < common; offset++) {
      const difference = this.#units[start + offset]! - name.charCodeAt(offset);
      if (difference !== 0) return difference;
    }
    return length - name.length;
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#end(index - 1);
  }

  #end(index: number): number {
    const end = this.#ends[index];
    if (end === undefined) throw new RangeError(`there is no name ${index}`);
    return end;
  }
}

/** Numbers of 32 bits in memory that threads share. */
export function sharedNumbers(length: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(4 * length));
}

/** The indexes 0 to `length` − 1 in an order. */
export function sharedOrder(
  length: number,
  compare: (one: number, other: number) => number,
): Uint32Array<SharedArrayBuffer> {
  const order = sharedNumbers(length);
  // Lists are often in order already, which this sort uses and that of a typed array does not.
  order.set(Array.from({ length }, (_, index) => index).sort(compare));
  return order;
}

/**
 * Searches the indexes of an order.
 *
 * @param compare Below 0 where the element of an index comes before the one that is searched for.
 * @returns The index of the element, or −1.
 */
export function searchOrder(order: Uint32Array, compare: (index: number) => number): number {
  let low = 0;
  let high = order.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const index = order[middle]!;
    const difference = compare(index);
    if (difference === 0) return index;
    if (difference < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
