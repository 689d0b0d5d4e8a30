/**
 * The words of a line: pure. Blanks separate them; quotes hold a word together that has blanks, `?`
 * or `|` in it. A word that begins with `|` ends a command and begins a filter of its output.
 *
 * @module
 */

/** A word as it was typed. */
export interface LineWords {
  /** The command and its filters, each as its words without their quotes; at least the command. */
  readonly parts: readonly (readonly string[])[];
  /** The last word as it was typed, with its quotes; empty where the line ends with a blank. */
  readonly begun: string;
  /** The quote that is open at the end of the line, or null. */
  readonly quote: string | null;
}

const BLANK = /\s/;

/** Splits a line into words. A quote that is not closed ends with the line. */
export function splitLine(line: string): LineWords {
  const parts: string[][] = [[]];
  let word: string | null = null;
  let begun = "";
  let quote: string | null = null;
  for (const character of line) {
    if (quote === null && BLANK.test(character)) {
      if (word !== null) parts.at(-1)!.push(word);
      word = null;
      begun = "";
    } else if (quote === null && word === null && character === "|") {
      parts.push([]);
      begun = "";
    } else {
      begun += character;
      word ??= "";
      if (quote === null && (character === '"' || character === "'")) quote = character;
      else if (character === quote) quote = null;
      else word += character;
    }
  }
  if (word !== null) parts.at(-1)!.push(word);
  return { parts, begun, quote };
}

/**
 * A text as one word of a line.
 *
 * @param open The quote that the word begins with already, or null.
 * @returns The text itself where it is one word, else in quotes.
 */
export function quoteWord(text: string, open: string | null = null): string {
  if (open === null && !/[\s"'?]|^\||^$/.test(text)) return text;
  const mark = open ?? (text.includes('"') ? "'" : '"');
  return `${mark}${text}${mark}`;
}
