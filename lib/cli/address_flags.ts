/**
 * The flags that `serve` and `connect` share: `--unix`, `--tcp` and `--key`, whose values may be
 * left out.
 *
 * @module
 */
import { DEFAULT, usage, type ValueOrDefault } from "./command_line.ts";
import type { Flags } from "./flags.ts";

/** The names of the flags. */
export const ADDRESS_FLAGS = ["unix", "tcp", "key"];

/** A flag's value as read: null where it is absent, an empty text where it has no value. */
export function optionalValue(value: string | null): ValueOrDefault | null {
  return value === null ? null : valueOrDefault(value);
}

/** The value of a flag that is given. */
export function valueOrDefault(value: string): ValueOrDefault {
  return value === "" ? DEFAULT : value;
}

/** @throws {Failure} 64 when there is an operand before `--`. */
export function refuseWords(flags: Flags, topic: string): void {
  if (flags.words.length > 0) throw usage(`"${flags.words[0]}" is out of place`, topic);
}
