/**
 * Key files: which one is used, whether it can be relied on, what it holds.
 *
 * @module
 */
import { type Environment, keyPaths } from "../config/default_paths.ts";
import { ExitCode, Failure, messageOf } from "../errors.ts";
import { readBounded } from "../files/bounded_read.ts";
import { checkKeyFile, type PathProblem, requireSafe } from "../files/permissions.ts";
import { shellWord } from "../text/shell_word.ts";
import { parseKeyFile } from "./key_format.ts";
import { keyId } from "./key_id.ts";

/** The largest key file, in bytes: a key and pages of comments. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** What is known of a key file. */
export interface KeyFileFacts {
  /** As {@linkcode keyId} gives it. */
  readonly id: string;
  /**
   * When it was last written, in milliseconds since the epoch; null where the system does not say.
   */
  readonly writtenAt: number | null;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
  /** Why its owner or mode is refused, or null. */
  readonly problem: PathProblem | null;
}

/**
 * Reads a key file, if its owner and mode can be relied on.
 *
 * @param path The file; a symbolic link is followed and its target checked.
 * @param ownUid The uid that may own it, beside root.
 * @returns The key, 32 bytes, for the caller to wipe, and its id.
 * @throws {Failure} 78 when it is missing, or its owner or mode is refused; 77 when this process
 * may not read it; 65 when it holds no key; 71 when the system refuses.
 */
export function readKeyFile(path: string, ownUid: number): { key: Uint8Array; id: string } {
  const { key, facts } = examine(path, ownUid);
  if (facts.problem !== null) key.fill(0);
  requireSafe(facts.problem, "The key file");
  return { key, id: facts.id };
}

/**
 * Describes a key file, also one whose owner or mode is refused.
 *
 * @param path The file; a symbolic link is followed.
 * @param ownUid The uid that may own it, beside root.
 * @throws {Failure} As {@linkcode readKeyFile}, except for the owner and the mode.
 */
export function describeKeyFile(path: string, ownUid: number): KeyFileFacts {
  const { key, facts } = examine(path, ownUid);
  key.fill(0);
  return facts;
}

function examine(path: string, ownUid: number): { key: Uint8Array; facts: KeyFileFacts } {
  let content: Uint8Array | null = null;
  try {
    // open(2) of a FIFO would wait for its writer, so only a regular file is opened.
    if (!Deno.statSync(path).isFile) throw notAFile(path);
    using file = Deno.openSync(path, { read: true });
    // The opened file is checked: the path may name another one by now.
    const info = file.statSync();
    if (!info.isFile || info.mode === null || info.uid === null || info.gid === null) {
      throw notAFile(path);
    }
    content = readBounded(file, MAX_KEY_FILE_BYTES);
    if (content === null) {
      throw new Failure(`${path} is larger than a key file`, { exit: ExitCode.data });
    }
    const key = parseKeyFile(content, path);
    const facts: KeyFileFacts = {
      id: keyId(key),
      writtenAt: info.mtime?.getTime() ?? null,
      uid: info.uid,
      gid: info.gid,
      mode: info.mode & 0o7777,
      problem: checkKeyFile({ mode: info.mode, uid: info.uid }, path, ownUid),
    };
    return { key, facts };
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    content?.fill(0);
  }
}

/**
 * The key file that is used where no flag names one: that of the environment, of the configuration,
 * or the first default path that exists.
 *
 * @param named What `--key` says, or null.
 * @param configured What the configuration says, or null.
 * @returns A path. Where it was named, it need not exist.
 * @throws {Failure} 78 when none was named and no default path exists.
 */
export function findKeyFile(
  named: string | null,
  environment: Environment,
  configured: string | null,
): string {
  const path = named ?? (environment.env.IPCAUTH_KEY_FILE || configured);
  if (path !== null) return path;
  const paths = keyPaths(environment);
  const found = paths.find(mayExist);
  if (found !== undefined) return found;
  throw new Failure(`There is no key: ${noneExists(paths)}`, {
    exit: ExitCode.config,
    hint: "ipcauth gen-key",
  });
}

function noneExists(paths: readonly string[]): string {
  const [first, second, ...more] = paths;
  if (second === undefined) return `${first} does not exist`;
  if (more.length === 0) return `neither ${first} nor ${second} exists`;
  return `none of ${paths.slice(0, -1).join(", ")} and ${paths.at(-1)} exists`;
}

/** Whether a path exists. One that this process may not stat counts as existing. */
function mayExist(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

function notAFile(path: string): Failure {
  return new Failure(`The key file ${path} is not a regular file`, {
    exit: ExitCode.config,
    hint: `ls -ld ${shellWord(path)}`,
  });
}

function unreadable(path: string, cause: unknown): Failure {
  if (cause instanceof Deno.errors.NotFound) {
    return new Failure(`There is no key file ${path}`, {
      exit: ExitCode.config,
      hint: `ipcauth gen-key ${shellWord(path)}`,
      cause,
    });
  }
  const denied = cause instanceof Deno.errors.PermissionDenied;
  const reason = denied ? "permission denied" : messageOf(cause);
  return new Failure(`Cannot read the key file ${path}: ${reason}`, {
    exit: denied ? ExitCode.refused : ExitCode.os,
    hint: `ls -l ${shellWord(path)}`,
    cause,
  });
}
