/**
 * Where the values of a configuration stand, by their keys.
 *
 * @module
 */
import type { Position } from "../policy/types.ts";
import { Problems, readDocument, type Value } from "./document.ts";
import { extractOf } from "./list_extract.ts";
import type { PlaceLookup } from "./found_position.ts";

/** The longest text that is parsed whole to find a place, in UTF-16 code units: 3,500 users. */
export const MAX_WHOLE_LENGTH = 256 << 10;
/** The longest text that is parsed whole where it has no extract. It takes some 5 s. */
export const MAX_PARSED_LENGTH = 4 << 20;

/** A place that is not known. */
const UNKNOWN: Position = { line: 1, column: 1 };

/**
 * Finds places in a text. It is parsed when the first place is asked for; of a long one, an extract
 * with the user that is asked for.
 *
 * @param text Without a byte order mark.
 */
export function placeFinder(text: string): PlaceLookup {
  let places: ReadonlyMap<string, Position> = new Map();
  /** The user in the extract; null where it is the whole text. */
  let known: number | null | "none" = "none";
  return (key) => {
    const user = /^users\[([0-9]+)\]/.exec(key);
    if (known === null) return places.get(key) ?? UNKNOWN;
    const index = user === null ? known === "none" ? 0 : known : Number(user[1]);
    if (known !== index) {
      const extract = text.length > MAX_WHOLE_LENGTH ? extractOf(text, "users", [index]) : null;
      if (extract === null) {
        known = null;
        places = text.length > MAX_PARSED_LENGTH ? new Map() : placesOf(text);
      } else {
        known = index;
        places = placesOf(extract.text, (key, { line, column }) => [
          key.replace(/^users\[0\]/, `users[${index}]`),
          { line: extract.lineOf(line), column },
        ]);
      }
    }
    return places.get(key) ?? UNKNOWN;
  };
}

function placesOf(
  text: string,
  inWhole: (key: string, at: Position) => [string, Position] = (key, at) => [key, at],
): ReadonlyMap<string, Position> {
  const places = new Map<string, Position>();
  const add = (value: Value): void => {
    places.set(...inWhole(value.key, value.at));
    if (value.kind === "list") value.items.forEach(add);
    if (value.kind === "map") { for (const entry of value.entries.values()) add(entry.value); }
  };
  const root = readDocument(text, new Problems());
  if (root !== null) add(root);
  return places;
}
