/**
 * A text as one word of a shell's command line, for the commands that messages name.
 *
 * @module
 */

/**
 * Quotes a text where a POSIX shell would take it apart.
 *
 * @param text Such as a path.
 * @returns The text itself where it is one plain word, else the text in single quotes.
 */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
