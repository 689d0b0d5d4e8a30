/**
 * Strict parsing of uids and gids. A lenient parser would turn `0day` into uid 0.
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
