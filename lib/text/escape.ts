/**
 * Text of the other end on its way to a terminal: pure.
 *
 * @module
 */

/**
 * A text without characters that would move a terminal's cursor or turn its letters round:
 * controls, formats such as the bidirectional ones, and the separators of lines and paragraphs.
 *
 * @param text Anything a server says, names of users included.
 * @returns The text on one line, each such character spelled as `\u{…}`. To do it twice changes
 * nothing.
 */
export function escapeForTerminal(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
