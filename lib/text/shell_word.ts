/**
 * Quoting for the command lines that messages and hints name: pure.
 *
 * @module
 */
import { UNSAFE } from "./escape.ts";

/**
 * A text as one word of a POSIX shell's command line.
 *
 * @param text Such as a path.
 * @returns The text itself where the shell reads it as one plain word, else in single quotes. A
 * text that a terminal would obey is one call of `printf(1)`, in ASCII; a newline at its end is
 * lost.
 */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/.test(text)) return text;
  if (text.search(UNSAFE) < 0) return `'${text.replaceAll("'", `'\\''`)}'`;
  const octal = (byte: number) => `\\${byte.toString(8).padStart(3, "0")}`;
  const plain = text.replaceAll("%", "%%").replaceAll(
    /[^ !#-&(-[\]-~]/gu,
    (character) => [...new TextEncoder().encode(character)].map(octal).join(""),
  );
  return `"$(printf '${plain}')"`;
}
