/**
 * What a draft of changes begins with, as a text that is the same as long as the configuration
 * means the same.
 *
 * @module
 */
import { configValues } from "../../config/config_text.ts";
import { ROOT_KEYS } from "../../config/schema.ts";
import type { Config } from "../../config/types.ts";
import { sha256 } from "../../noise/primitives.ts";

/** How much of each hash is kept, in bytes: enough that no two states are the same by chance. */
const HASH_BYTES = 8;

/** The base of a configuration: a hash for each section, so that a conflict can name them. */
export function baseOf(config: Config): string {
  return baseOfValues(configValues(config));
}

/** The same of values by the keys of the file. */
export function baseOfValues(values: Readonly<Record<string, unknown>>): string {
  return ROOT_KEYS.map((section) => {
    const bytes = new TextEncoder().encode(JSON.stringify(values[section]) ?? "");
    return sha256(bytes).subarray(0, HASH_BYTES).toHex();
  }).join("-");
}

/** The sections that differ between two bases; all of them where one is no base. */
export function changedSections(one: string, other: string): string[] {
  const [hashes, others] = [one.split("-"), other.split("-")];
  return ROOT_KEYS.filter((_, index) => hashes[index] !== others[index]);
}
