/**
 * Text of the other end on its way to a terminal: pure.
 *
 * @module
 */

/**
 * Escapes the characters that would move a terminal's cursor or reorder its text: controls (general
 * category Cc), formats such as the bidirectional ones (Cf), line and paragraph separators (Zl,
 * Zp).
 *
 * @param text Any text of a server or a configuration, such as a user's name.
 * @returns One line, each such character as `\u{…}`. Escaping it again changes nothing.
 * @example
 * ```ts
 * escapeForTerminal("bob\x1b[2J"); // "bob\\u{1b}[2J"
 * ```
 */
export function escapeForTerminal(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
