/**
 * The keys of a listener, those of its directories included, as one look finds them.
 *
 * @module
 */
import type { Config, KeyConfig, TcpListenerConfig } from "../config/types.ts";
import { Failure } from "../errors.ts";
import {
  type DirectoryEntry,
  listKeyDirectory,
  readKeyEnd,
  unknownKeyUser,
  unreadableEnd,
} from "./key_directory.ts";
import { readKeyFile } from "./key_reader.ts";

/** A key of a listener. */
export interface ListedKey extends KeyConfig {
  readonly isInDirectory: boolean;
  /** Null where the file cannot be read. */
  readonly id: string | null;
  /** Why the key admits no one, or null. */
  readonly problem: string | null;
  readonly hint?: string;
}

/**
 * Reads the keys of a listener: those of entries, and then those of directories.
 *
 * @param config The users that the names of files are compared with.
 * @param ownUid The uid that may own the files, beside root.
 * @throws {Failure} When a directory cannot be listed.
 */
export function listListenerKeys(
  { keys, keyDirectories }: TcpListenerConfig,
  { access, path }: Pick<Config, "access" | "path">,
  ownUid: number,
): ListedKey[] {
  return [
    ...keys.map((key) => ({ ...key, isInDirectory: false, ...contentOf(key.file, ownUid) })),
    ...keyDirectories.flatMap(({ directory, at }) =>
      listKeyDirectory(directory, ownUid).map((key) => {
        const content = contentOf(key.file, ownUid);
        const { notAfter, failure } = endOf(key, ownUid);
        const isUnknown = !access.usersByName.has(key.user);
        const other = failure ?? (isUnknown ? unknownKeyUser(key, path) : null);
        return {
          file: key.file,
          user: key.user,
          notAfter,
          at,
          isInDirectory: true,
          ...content,
          ...content.problem === null && other !== null ? problemOf(other) : {},
        };
      })
    ),
  ];
}

function contentOf(file: string, ownUid: number): Pick<ListedKey, "id" | "problem" | "hint"> {
  try {
    const { key, id } = readKeyFile(file, ownUid);
    key.fill(0);
    return { id, problem: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { id: null, ...problemOf(error) };
  }
}

function endOf({ end }: DirectoryEntry, ownUid: number): {
  readonly notAfter: number | null;
  readonly failure: Failure | null;
} {
  if (end === null) return { notAfter: null, failure: null };
  try {
    return { notAfter: readKeyEnd(end, ownUid), failure: null };
  } catch (error) {
    return { notAfter: 0, failure: unreadableEnd(end, error) };
  }
}

function problemOf({ message, hint }: Failure): Pick<ListedKey, "problem" | "hint"> {
  return { problem: message, ...hint === undefined ? {} : { hint } };
}
