/**
 * A directory of keys: which of its files count, and whose keys they are.
 *
 * @module
 */
import { join } from "@std/path";
import { SYSTEM_CONFIG } from "../config/default_paths.ts";
import { parseTime } from "../config/listener_keys.ts";
import { ExitCode, Failure } from "../errors.ts";
import { checkConfigFile, checkKeyDirectory, requireSafe } from "../files/permissions.ts";
import { isDenied, reasonOf } from "../files/system_reason.ts";
import { checkTrustedFile, readTrustedFile } from "../files/trusted_file.ts";
import { fileStatus } from "../libc/file_status.ts";
import { shellWord } from "../text/shell_word.ts";

const KEY_SUFFIX = ".key";
const END_SUFFIX = ".not-after";

/** The largest file with an end, in bytes: a time and comments. */
const MAX_END_BYTES = 4 * 1024;

/** A key file of a directory. */
export interface DirectoryEntry {
  /** The path of the key file. */
  readonly file: string;
  /** The user that its name says, who need not be configured. */
  readonly user: string;
  /** The path of the file with its end; null where there is none. */
  readonly end: string | null;
}

/**
 * Lists the keys of a directory. `NAME.key` and `NAME+MORE.key` are keys of the user `NAME`, and
 * `NAME.not-after` and `NAME+MORE.not-after` hold their ends. No other file counts, nor one whose
 * name begins with a dot.
 *
 * @param directory The directory; a symbolic link is followed, and the whole path is checked.
 * @param ownUid The uid that may own it, beside root.
 * @returns The keys in the order of their names. Neither their owners nor their content is read.
 * @throws {Failure} 78 when its owner, mode or path is refused, 77 without the permission to read
 * it, 71 when it cannot be read for another reason.
 */
export function listKeyDirectory(directory: string, ownUid: number): readonly DirectoryEntry[] {
  let names: Set<string>;
  try {
    const options = { check: checkKeyDirectory, ownUid };
    const problem = checkTrustedFile(directory, fileStatus(directory), options);
    requireSafe(problem, "The key directory");
    names = new Set([...Deno.readDirSync(directory)].map(({ name }) => name));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`Cannot read the key directory ${directory}: ${reasonOf(error)}`, {
      exit: isDenied(error) ? ExitCode.refused : ExitCode.os,
      hint: `namei -l ${shellWord(directory)}`,
      cause: error,
    });
  }
  return [...names].filter((name) => name.endsWith(KEY_SUFFIX) && !name.startsWith("."))
    .sort()
    .map((name) => {
      const stem = name.slice(0, -KEY_SUFFIX.length);
      const end = stem + END_SUFFIX;
      return {
        file: join(directory, name),
        user: stem.split("+")[0]!,
        end: names.has(end) ? join(directory, end) : null,
      };
    });
}

/**
 * Whether a directory has a file that is a key of a user; true also where it cannot be read.
 *
 * @param directory The directory; its owner and mode are not checked.
 */
export function hasKeyIn(directory: string, user: string): boolean {
  try {
    return [...Deno.readDirSync(directory)].some(({ name }) =>
      name.endsWith(KEY_SUFFIX) && name.slice(0, -KEY_SUFFIX.length).split("+")[0] === user
    );
  } catch {
    return true;
  }
}

/**
 * Reads the end of a key: a time (RFC 3339) in a line of its own. Empty lines, and those that begin
 * with `#`, say nothing.
 *
 * @param path The file; symbolic links are followed, and the whole path is checked.
 * @param ownUid The uid that may own it, beside root.
 * @returns Milliseconds since the epoch.
 * @throws {Failure} 78 when its owner, mode or path is refused, 65 when it holds no time.
 * @throws {SystemError} When it cannot be opened or read.
 */
export function readKeyEnd(path: string, ownUid: number): number {
  const { content, problem } = readTrustedFile(path, {
    check: checkConfigFile,
    ownUid,
    maxBytes: MAX_END_BYTES,
  });
  requireSafe(problem, "The end of a key");
  const lines = content === null ? [] : new TextDecoder().decode(content).split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const time = lines.length === 1 ? parseTime(lines[0]!) : null;
  if (time !== null) return time;
  throw new Failure(`${path} does not hold one time, so its key is expired`, {
    exit: ExitCode.data,
    hint: `echo 2027-06-30T00:00:00Z > ${shellWord(path)}`,
  });
}

/** The failure of a file with an end that cannot be read. */
export function unreadableEnd(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`Cannot read ${path}, so its key is expired: ${reasonOf(error)}`, {
    exit: ExitCode.os,
    hint: `namei -l ${shellWord(path)}`,
    cause: error,
  });
}

/**
 * The failure of a key whose name says no configured user.
 *
 * @param config The path of the configuration.
 */
export function unknownKeyUser(
  { file, user }: Pick<DirectoryEntry, "file" | "user">,
  config: string | null,
): Failure {
  const flags = config === null || config === SYSTEM_CONFIG ? "" : ` --config ${shellWord(config)}`;
  return new Failure(
    `The key file ${file} is refused: its name says ${JSON.stringify(user)}, ` +
      "and there is no such user",
    {
      exit: ExitCode.config,
      hint: `ipcauth users add ${shellWord(user)} --local-ipc-access${flags}, or rm ${
        shellWord(file)
      }`,
    },
  );
}
