/**
 * The place of a value in a text, found when it is asked for: few places are, and to find them all
 * takes longer than to read the text.
 *
 * @module
 */
import type { Position } from "../policy/types.ts";

/** Finds the place of a value by its key, such as `users[1].uid`. */
export type PlaceLookup = (key: string) => Position;

/** A place that is found when it is asked for. */
export class FoundPosition implements Position {
  readonly #find: PlaceLookup;
  readonly key: string;

  constructor(find: PlaceLookup, key: string) {
    this.#find = find;
    this.key = key;
  }

  get line(): number {
    return this.#find(this.key).line;
  }

  get column(): number {
    return this.#find(this.key).column;
  }

  toJSON(): Position {
    return { line: this.line, column: this.column };
  }
}

/**
 * Makes the places of a value whole that a message has brought from another thread: of a
 * {@linkcode FoundPosition} only its key arrives.
 *
 * @param value Arrays and plain objects are searched, and changed.
 * @param find Finds places in the same text.
 */
export function restorePlaces(value: unknown, find: PlaceLookup): void {
  if (typeof value !== "object" || value === null) return;
  const fields = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(fields)) {
    const key = name === "at" || name === "accessAt" ? (field as { key?: unknown }).key : undefined;
    if (typeof key === "string") fields[name] = new FoundPosition(find, key);
    else restorePlaces(field, find);
  }
}
