/**
 * Mistakes in a file that is no configuration: pure.
 *
 * `--config` may be given any file that its caller can read, by mistake, such as `/etc/shadow` or a
 * key. A message goes to terminals and logs, so it quotes no part of such a file.
 *
 * @module
 */
import type { Problem } from "./document.ts";

/** The shortest part of a file that counts as its content, in characters. */
const MIN_QUOTED_LENGTH = 3;

/**
 * Replaces the problems of a file that is no configuration where they would quote it.
 *
 * @param text The content of the file.
 * @param problems What was found in it; at least one.
 * @param keys The keys of a configuration.
 * @returns The problems as they are, where the file has one of the keys, or where they hold nothing
 * of the file but plain keys, as of a configuration with a mistake in its only key. Else one
 * problem that says what is missing.
 */
export function withoutForeignContent(
  text: string,
  problems: readonly Problem[],
  keys: readonly string[],
): readonly Problem[] {
  if (hasKey(text, keys)) return problems;
  const words = wordsOf(text);
  if (!problems.some(({ key, what }) => quotes(`${key} ${what}`, words))) return problems;
  return [{
    at: problems[0]!.at,
    key: "",
    what: `this is no configuration: it has none of the keys ${keys.join(", ")}`,
    hint: "--config FILE names the configuration",
  }];
}

/** Whether a mapping of the file has one of the keys: in block style, in quotes or in braces. */
function hasKey(text: string, keys: readonly string[]): boolean {
  const key = keys.join("|");
  return new RegExp(`(^|[{,])[ \\t]*((${key})[ \\t]*:(\\s|$)|["'](${key})["'][ \\t]*:)`, "im")
    .test(text);
}

/** The words of a text, without its plain keys. */
function wordsOf(text: string): ReadonlySet<string> {
  const values = text.replaceAll(/^[ \t]*[a-z_]{1,32}[ \t]*:(?=\s|$)/gm, "");
  return new Set(
    values.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length >= MIN_QUOTED_LENGTH),
  );
}

function quotes(message: string, words: ReadonlySet<string>): boolean {
  return message.split(/[^\p{L}\p{N}]+/u).some((word) => words.has(word));
}
