/**
 * What the readers of users and groups share: names, name lookups and duplicates.
 *
 * @module
 */
import { isName } from "../policy/id.ts";
import type { Position } from "../policy/types.ts";
import type { Place, Value } from "./document.ts";
import type { Reader } from "./reader.ts";

/** What a configuration is checked against beside its own text. */
export interface NameLookup {
  /** `/proc/sys/kernel/overflowuid`: stands for every uid without a mapping. */
  readonly overflowUid: number;
  /** The gid of a group in the name service, or null. */
  groupId(name: string): number | null;
}

/** An entry that was read, and where its name and its id stand. */
export interface NamedEntry<T> {
  readonly entry: T;
  readonly nameAt: Place;
  readonly idAt: Place;
}

/** Reads the name of a user or group. */
export function readName(value: Value | null, place: Place, reader: Reader): string | null {
  const name = reader.text(value, place, "the name");
  if (name === null || isName(name)) return name;
  return reader.refuse(
    value ?? place,
    `${JSON.stringify(name)} cannot be a name: it has no blanks, quotes, commas or colons, ` +
      "is not a number, does not begin with @ or -, and is at most 64 characters long",
  );
}

/**
 * Reports every entry that has the same key as one before it.
 *
 * @param what What the key is, such as `uid`.
 * @param keyOf The key of an entry.
 * @param placeOf Where an entry's key stands.
 */
export function refuseDuplicates<T>(
  all: readonly T[],
  what: string,
  keyOf: (one: T) => string | number,
  reader: Reader,
  placeOf: (one: T) => Place,
): void {
  const first = new Map<string | number, Position>();
  for (const one of all) {
    const key = keyOf(one);
    const before = first.get(key);
    if (before === undefined) first.set(key, placeOf(one).at);
    else reader.refuse(placeOf(one), `the ${what} ${key} stands already in line ${before.line}`);
  }
}
