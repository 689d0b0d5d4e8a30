/**
 * Reading a uid or gid from text, strictly. What is not plainly a number of an account is refused:
 * a lenient reader turns `0day` into root.
 *
 * @module
 */

/** The largest id an account can have; one more is `(uid_t) -1`, which means "leave it as it is". */
export const MAX_ID = 0xffff_fffe;

/**
 * A decimal uid or gid: digits only, no sign, no space, no exponent, no needless leading zero.
 *
 * @param text What was typed or written.
 * @returns The id, 0 to {@linkcode MAX_ID}, or null when the text is not one.
 */
export function parseId(text: string): number | null {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/**
 * Whether a text can name a user or group in the configuration: at most 64 characters, printable and
 * without blanks; not a number, which would be taken for a uid; not beginning with `@` or `-`, which
 * mean a group and an option; none of the characters that separate fields in `passwd(5)` or a list.
 */
export function isName(text: string): boolean {
  return text.length <= 64 && /^[^\p{C}\p{Z}:,@"'\\-][^\p{C}\p{Z}:,"'\\]*$/u.test(text) &&
    !/^[0-9]+$/.test(text);
}
