/**
 * Two files of a listener that hold one key and grant it in different ways: it would be open which
 * user, or which end, the key has.
 *
 * @module
 */
import { normalize } from "@std/path";
import { shellWord } from "../text/shell_word.ts";

/** A file that holds the key. */
interface KeyEntry {
  readonly file: string;
  /** Null for a trusted client. */
  readonly user: string | null;
  readonly isInDirectory: boolean;
}

/** What is wrong, and what to do about it. */
interface KeyProblem {
  /** Such as `key 0123456789abcdef in b.key is also in a.key (line 4), of bob`. */
  readonly what: string;
  readonly hint: string;
}

/**
 * Describes a key that another file holds in another way.
 *
 * @param id The key's id.
 * @param key The file that comes later.
 * @param other The first one, which may be the same file, named by an entry.
 * @param line The line of the configuration that names the other one; null to leave it out.
 */
export function keyConflict(
  id: string,
  key: KeyEntry,
  other: Omit<KeyEntry, "isInDirectory">,
  line: number | null,
): KeyProblem {
  const of = other.user === null ? "of a trusted client" : `of ${other.user}`;
  const how = key.user === other.user ? "with another end" : of;
  const where = line === null ? "" : ` (line ${line})`;
  return {
    what: `key ${id} in ${key.file} is also in ${other.file}${where}, ${how}`,
    hint: key.isInDirectory
      ? directoryHint(key.file, other.file)
      : "ipcauth gen-key FILE, and name that file in one of the two entries",
  };
}

function directoryHint(file: string, other: string): string {
  return normalize(other) === file
    ? `take out the entry with file: ${other}, whose directory is listed, too`
    : `rm ${shellWord(file)}`;
}
