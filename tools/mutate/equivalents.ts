/**
 * Mutants that change nothing that a test could see, each with the reason.
 *
 * @module
 */
import type { Mutant } from "./mutants.ts";
import list from "./equivalents.json" with { type: "json" };

/** An entry of `equivalents.json`; it matches by text, so that it may move with its line. */
export interface Equivalent {
  readonly file: string;
  /** The name of the function or method, or an empty text. */
  readonly within: string;
  /** The line's text, without the indentation. */
  readonly source: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** All entries. */
export const EQUIVALENTS: readonly Equivalent[] = list;

/** Whether an entry is about a mutant. */
export function matches(entry: Equivalent, mutant: Mutant): boolean {
  return entry.file === mutant.file && entry.within === mutant.within &&
    entry.source === mutant.source &&
    entry.from === mutant.from && entry.to === mutant.to;
}

/** Whether a mutant changes nothing. */
export function isEquivalent(mutant: Mutant): boolean {
  return EQUIVALENTS.some((entry) => matches(entry, mutant));
}
