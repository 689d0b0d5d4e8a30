/**
 * Key files: which one is used, whether it can be relied on, what it holds.
 *
 * @module
 */
import { type Environment, keyPaths } from "../config/default_paths.ts";
import { ExitCode, Failure } from "../errors.ts";
import { checkKeyFile, type PathProblem, requireSafe } from "../files/permissions.ts";
import { isAbsent, isDenied, reasonOf } from "../files/system_reason.ts";
import { readTrustedFile, type TrustedFile } from "../files/trusted_file.ts";
import { forbidMemoryDumps } from "../libc/core_dump.ts";
import { fileStatus } from "../libc/file_status.ts";
import { effectiveGid, effectiveUid } from "../libc/ids.ts";
import { shellWord } from "../text/shell_word.ts";
import { parseKeyFile } from "./key_format.ts";
import { keyId } from "./key_id.ts";

/** The largest key file, in bytes: a key and pages of comments. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** What is known of a key file. */
export interface KeyFileFacts {
  /** As {@linkcode keyId} gives it. */
  readonly id: string;
  /** When it was last written, in milliseconds since the epoch. */
  readonly writtenAt: number;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
  /** Why its owner, its mode or its path is refused, or null. */
  readonly problem: PathProblem | null;
}

/** How a key file is read. */
export interface KeyFileOptions {
  /** Whether the key is read only once, so that the file may be a pipe. */
  readonly once?: boolean;
  /** The hint about a file that does not exist; by default, how to make it. */
  readonly absentHint?: (path: string) => string;
}

/** The hint of a server that has no key. */
function makeHint(path: string): string {
  return `ipcauth gen-key ${shellWord(path)}`;
}

/** The hint of a client that has no key: another one than the server's would be refused. */
export function fetchHint(path: string): string {
  return `on the server: ipcauth gen-key FILE --user NAME; then copy that file to ${
    shellWord(path)
  }`;
}

/**
 * Reads a key file, if no other user can read, change or replace it.
 *
 * @param path The file; symbolic links are followed, and the whole path is checked each time.
 * @param ownUid The uid that may own it, beside root.
 * @returns The key, 32 bytes, for the caller to wipe, and its id.
 * @throws {Failure} 78 when it is missing, or its owner, mode or path is refused; 77 when this
 * process may not read it; 65 when it holds no key; 71 when the system refuses.
 */
export function readKeyFile(
  path: string,
  ownUid: number,
  { once = false, absentHint = makeHint }: KeyFileOptions = {},
): { key: Uint8Array; id: string } {
  const file = open(path, ownUid, once, absentHint);
  try {
    requireSafe(file.problem, "The key file");
    const key = parse(path, file);
    return { key, id: keyId(key) };
  } finally {
    file.content?.fill(0);
  }
}

/**
 * Describes a key file, also one whose owner, mode or path is refused.
 *
 * @param path The file; symbolic links are followed. It may be a pipe.
 * @param ownUid The uid that may own it, beside root.
 * @throws {Failure} As {@linkcode readKeyFile}, except for the owner, the mode and the path.
 */
export function describeKeyFile(path: string, ownUid: number): KeyFileFacts {
  const file = open(path, ownUid, true, makeHint);
  try {
    const key = parse(path, file);
    const { writtenAt, uid, gid, mode } = file.status;
    const id = keyId(key);
    key.fill(0);
    return { id, writtenAt, uid, gid, mode: mode & 0o7777, problem: file.problem };
  } finally {
    file.content?.fill(0);
  }
}

function open(
  path: string,
  ownUid: number,
  once: boolean,
  absentHint: (path: string) => string,
): TrustedFile {
  // Before the key is in memory.
  forbidMemoryDumps();
  try {
    return readTrustedFile(path, {
      check: checkKeyFile,
      ownUid,
      maxBytes: MAX_KEY_FILE_BYTES,
      once,
    });
  } catch (error) {
    throw unreadable(path, ownUid, error, absentHint);
  }
}

function parse(path: string, { content, isTooLarge }: TrustedFile): Uint8Array {
  if (content !== null) return parseKeyFile(content, path);
  if (!isTooLarge) throw notAFile(path);
  throw new Failure(`${path} is larger than a key file`, { exit: ExitCode.data });
}

/**
 * The key file that is used where no flag names one: that of the environment, of the configuration,
 * or the first default path that exists.
 *
 * @param named What `--key` says, or null.
 * @param configured What the configuration says, or null.
 * @param absentHint The hint where there is none, about the first default path.
 * @returns A path. Where it was named, it need not exist.
 * @throws {Failure} 78 when none was named and no default path exists.
 */
export function findKeyFile(
  named: string | null,
  environment: Environment,
  configured: string | null,
  absentHint: (path: string) => string = () => "ipcauth gen-key",
): string {
  const path = named ?? (environment.variables.IPCAUTH_KEY_FILE || configured);
  if (path !== null) return path;
  const paths = keyPaths(environment);
  const found = paths.find(mayExist);
  if (found !== undefined) return found;
  throw new Failure(`There is no key: ${noneExists(paths)}`, {
    exit: ExitCode.config,
    hint: absentHint(paths[0]!),
  });
}

/** @param paths One or two. */
function noneExists([first, second]: readonly string[]): string {
  return second === undefined ? `${first} does not exist` : `neither ${first} nor ${second} exists`;
}

/** Whether a path exists. One that this process may not stat counts as existing. */
function mayExist(path: string): boolean {
  try {
    fileStatus(path);
    return true;
  } catch (error) {
    return !isAbsent(error);
  }
}

function notAFile(path: string): Failure {
  return new Failure(`The key file ${path} is not a regular file`, {
    exit: ExitCode.config,
    hint: `ls -ld ${shellWord(path)}`,
  });
}

function unreadable(
  path: string,
  ownUid: number,
  cause: unknown,
  absentHint: (path: string) => string,
): Failure {
  if (isAbsent(cause)) {
    return new Failure(`There is no key file ${path}`, {
      exit: ExitCode.config,
      hint: absentHint(path),
      cause,
    });
  }
  const word = groupWord(ownUid);
  return new Failure(`Cannot read the key file ${path}: ${reasonOf(cause)}`, {
    exit: isDenied(cause) ? ExitCode.refused : ExitCode.os,
    hint: isDenied(cause) && mayStat(path)
      // A key of root, for a server that is another user.
      ? `chgrp ${word} ${shellWord(path)} && chmod 640 ${shellWord(path)}`
      : `namei -l ${shellWord(path)}`,
    cause,
  });
}

/** The group of a user, for a shell. A uid that is this process's need not have an account. */
function groupWord(uid: number): string {
  return uid === effectiveUid() ? String(effectiveGid()) : `"$(id -g ${uid})"`;
}

/** Whether every directory of the path may be searched, so that the file itself is what denies. */
function mayStat(path: string): boolean {
  try {
    fileStatus(path);
    return true;
  } catch {
    return false;
  }
}
