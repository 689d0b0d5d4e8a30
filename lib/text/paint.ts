/**
 * Colour on a terminal (ECMA-48, SGR): pure. Colour only repeats what a word says.
 *
 * @module
 */

/** The colours that the program uses. */
export const COLORS = { red: 31, green: 32, cyan: 36 } as const;

/** A text in a colour, or as it is. */
export function paint(text: string, color: keyof typeof COLORS, mayColor: boolean): string {
  return mayColor ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
}

/** The mark that goes with a yes or a no, where there is colour. One cell. */
export function markOf(yes: boolean): string {
  return yes ? "✓" : "✗";
}

/** The same in its colour. */
export function paintMark(yes: boolean): string {
  return paint(markOf(yes), yes ? "green" : "red", true);
}
