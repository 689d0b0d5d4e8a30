/**
 * Text of the other end, of a command line or of the environment on its way to a terminal: pure.
 *
 * @module
 */

/**
 * The characters that would move a terminal's cursor or reorder its text: controls (general
 * category Cc), formats such as the bidirectional ones (Cf), line and paragraph separators (Zl,
 * Zp).
 */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same, without the newline and the tab. */
const UNSAFE_IN_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** What `paint.ts` writes. */
// deno-lint-ignore no-control-regex -- ESC begins it
const PAINT = /(\x1b\[(?:0|31|32|36)m)/;

/**
 * Escapes every {@linkcode UNSAFE} character.
 *
 * @param text Any text of a server, a configuration or a command line, such as a user's name.
 * @returns One line, each such character as `\u{…}`. Escaping it again changes nothing.
 * @example
 * ```ts
 * escapeForTerminal("bob\x1b[2J"); // "bob\\u{1b}[2J"
 * ```
 */
export function escapeForTerminal(text: string): string {
  return text.replaceAll(UNSAFE, escapeOne);
}

/** The same for a text of several lines, which keeps its newlines and tabs. */
export function escapeLines(text: string): string {
  return text.replaceAll(UNSAFE_IN_LINES, escapeOne);
}

/** The same, but for the colours of {@linkcode paint}. */
export function escapePainted(text: string): string {
  return text.split(PAINT).map((part, at) => at % 2 === 1 ? part : escapeLines(part)).join("");
}

function escapeOne(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/**
 * Escapes what JSON leaves as it is and a terminal obeys: DEL, the C1 controls (such as CSI), the
 * line separators and the marks that change the direction of text.
 *
 * @param json A text of JSON on one line.
 * @returns JSON with the same value.
 */
export function escapeJson(json: string): string {
  // Most texts are plain ASCII, and the log calls this twice for every connection.
  if (/^[\x20-\x7e]*$/.test(json)) return json;
  return json.replaceAll(
    UNSAFE,
    (character) =>
      Array.from(
        { length: character.length },
        (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
