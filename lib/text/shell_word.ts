/**
 * Quoting for the command lines that messages and hints name: pure.
 *
 * @module
 */

/**
 * A text as one word of a POSIX shell's command line.
 *
 * @param text Such as a path.
 * @returns The text itself where the shell reads it as one plain word, else in single quotes.
 */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
