/**
 * Which texts of a YAML document are quoted: pure.
 *
 * `579` is a number and `"579"` a text, and the quick reader has the same value for both. Most
 * documents have no text that stands in quotes at one place and bare at another, so a search in
 * them says which it is.
 *
 * @module
 */
import { parse } from "@std/yaml";
import { plainValue } from "./plain_scalar.ts";

/** Says of scalars whether they are quoted. */
export interface Quoting {
  /** Whether it is known by the scalar's source alone. */
  readonly isKnown: boolean;
  /**
   * @param source Of a scalar that is no text when it is not quoted.
   * @param typed Where it is not known: the scalar as `@std/yaml` has it in the core schema.
   */
  isQuoted(source: string, typed: unknown): boolean;
}

/** A text that the quick reader cannot tell from another one, or that it reads otherwise. */
export class UncertainError extends Error {}

/** Searches a document. */
export function quotingOf(text: string): Quoting {
  if (!/["'|>]/.test(text)) return { isKnown: true, isQuoted: () => false };
  // An escape may stand for any character, and a block scalar for any text.
  if (/[\\|>]/.test(text)) return BY_TYPE;
  const quoted = new Set<string>();
  for (const [, source] of text.matchAll(/["'](?=([-+.\w~]*)["'])/g)) {
    if (plainValue(source!) !== source) quoted.add(source!);
  }
  if (quoted.size > MAX_SEARCHES) return BY_TYPE;
  for (const source of quoted) {
    if (source !== "" && bare(source).test(text)) return BY_TYPE;
  }
  return { isKnown: true, isQuoted: (source) => quoted.has(source) };
}

/** How many texts are searched for. */
const MAX_SEARCHES = 8;

/** Finds at least every place where a source stands as a plain scalar. */
function bare(source: string): RegExp {
  return new RegExp(`(?<![^\\s,[{:])${RegExp.escape(source)}(?![^\\s,\\]}:])`);
}

/** A text in the core schema is quoted where it were another value without quotes. */
const BY_TYPE: Quoting = {
  isKnown: false,
  isQuoted: (source, typed) => {
    if (typeof typed !== "string") return false;
    if (typeof parse(source, { schema: "core" }) === "string") {
      throw new UncertainError(source);
    }
    return true;
  },
};
