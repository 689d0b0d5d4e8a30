/**
 * Strict parsing of uids, gids and names. A lenient parser would turn `0day` into uid 0.
 *
 * @module
 */

/** The largest uid or gid. The next number is `(uid_t) -1`, "no change" in `setresuid(2)`. */
export const MAX_ID = 0xffff_fffe;

/**
 * Parses a decimal uid or gid: digits only, without sign, space, exponent or leading zeros.
 *
 * @param text The text to parse.
 * @returns The id, 0 to {@linkcode MAX_ID}, or null when the text is not one.
 */
export function parseId(text: string): number | null {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/**
 * Whether a text can name a user or group in the configuration: at most 64 characters, all of them
 * printable, without blanks; not a number, which would be taken for a uid; without `@` or `-` at
 * the beginning, which mean a group and an option; without the characters that separate fields in
 * `passwd(5)` or items of a list.
 */
export function isName(text: string): boolean {
  return text.length <= 64 && /^[^\p{C}\p{Z}:,@"'\\-][^\p{C}\p{Z}:,"'\\]*$/u.test(text) &&
    !/^[0-9]+$/.test(text);
}
