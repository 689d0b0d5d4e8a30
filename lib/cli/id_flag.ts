/**
 * The flags whose value is a uid or gid, and operands by the names that a usage line gives them.
 *
 * @module
 */
import { parseId } from "../policy/id.ts";
import { usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";

/**
 * A flag's value as a uid or gid, or null where it is absent.
 *
 * @throws {Failure} 64 for any other.
 */
export function idFlag(flags: Flags, name: string, topic: string): number | null {
  const text = flags.one(name);
  if (text === null) return null;
  const value = parseId(text);
  if (value !== null) return value;
  throw usage(
    `--${name}: "${text}" is not an id; it is a whole number from 0 to 4294967294`,
    topic,
  );
}

/**
 * The operands of a verb, which have to be as many as it has names for.
 *
 * @param line The verb and its operands and flags, as the usage text has them.
 * @throws {Failure} 64 with that line.
 */
export function takeOperands<const Names extends readonly string[]>(
  words: readonly string[],
  names: Names,
  line: string,
): { readonly [name in keyof Names]: string } {
  if (words.length === names.length) {
    return words as unknown as { readonly [name in keyof Names]: string };
  }
  throw usage(`Usage: ipcauth ${line}`, line.split(" ")[0]!);
}
