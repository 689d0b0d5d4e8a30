/**
 * The word that was probably meant: pure.
 *
 * @module
 */

/** The longest word that is compared, in UTF-16 code units: the time grows with its square. */
const MAX_LENGTH = 64;
/** A word that is the beginning of a known one has at least this length. */
const MIN_BEGINNING = 3;

/**
 * The end of a sentence about a word that is not known.
 *
 * @param word What was typed.
 * @param known The words that could have been meant.
 * @returns Such as `; did you mean "users"?`, or an empty text where none is near.
 * @example
 * ```ts
 * didYouMean("usres", ["serve", "users"]); // `; did you mean "users"?`
 * ```
 */
export function didYouMean(word: string, known: Iterable<string>): string {
  const near = nearest(word, known);
  return near === null ? "" : `; did you mean ${JSON.stringify(near)}?`;
}

/**
 * The known word with the smallest distance. Case does not count, and `-` is the same as `_`.
 *
 * @returns Null where each is more than two edits away (of a word of at most four characters, more
 * than one), and `word` is not the beginning of exactly one of them.
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > MAX_LENGTH) return null;
  const typed = normal(word);
  const begun: string[] = [];
  let best: string | null = null;
  let least = (typed.length <= 4 ? 1 : 2) + 1;
  for (const candidate of known) {
    const other = normal(candidate);
    if (other.startsWith(typed)) begun.push(candidate);
    if (Math.abs(other.length - typed.length) >= least) continue;
    const distance = editDistance(typed, other);
    if (distance < least) [best, least] = [candidate, distance];
  }
  if (best !== null) return best;
  return begun.length === 1 && typed.length >= MIN_BEGINNING ? begun[0]! : null;
}

function normal(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}

/**
 * The number of characters to be added, taken out, replaced, or exchanged with the next one: the
 * Damerau-Levenshtein distance, with no character edited twice.
 */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, substitution));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        next[j] = Math.min(next[j]!, before[j - 2]! + 1);
      }
    }
    [before, row] = [row, next];
  }
  return row[to.length]!;
}
