/**
 * Key files on disk: found, judged safe, read, made.
 *
 * @module
 */
import { basename, dirname, resolve } from "@std/path";
import { type Environment, keyPaths } from "../config/default_paths.ts";
import { ExitCode, Failure, messageOf } from "../errors.ts";
import { atomicWrite } from "../files/atomic_write.ts";
import { Directory } from "../libc/directory.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { checkDirectory, checkKeyFile, type PathProblem } from "../files/permissions.ts";
import { shellWord } from "../text/shell_word.ts";
import { formatKey, parseKeyFile } from "./key_format.ts";
import { keyId } from "./key_id.ts";

/** The largest key file: a key and a page of comments. */
const LARGEST = 64 * 1024;

/** What is known of a key file. */
export interface KeyFileFacts {
  readonly id: string;
  /** When it was last written, in milliseconds since the epoch; null where the system does not say. */
  readonly writtenAt: number | null;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
  /** What is wrong with its owner or mode, or null. */
  readonly problem: PathProblem | null;
}

/**
 * Reads a key file, if it is safe to believe.
 *
 * @param path A link is followed; what it leads to is judged.
 * @param ourUid Who may own it, beside root.
 * @returns The key, 32 bytes, for the caller to wipe, and its id.
 * @throws {Failure} 78 when it is missing, or its owner or mode is wrong; 77 when we may not read it; 65
 * when it holds no key.
 */
export function readKeyFile(path: string, ourUid: number): { key: Uint8Array; id: string } {
  const { key, facts } = examine(path, ourUid);
  if (facts.problem === null) return { key, id: facts.id };
  key.fill(0);
  throw new Failure(`The key file ${facts.problem.sentence}`, {
    exit: ExitCode.config,
    hint: facts.problem.fix,
  });
}

/**
 * Looks at a key file, also where it is not safe.
 *
 * @throws {Failure} As {@linkcode readKeyFile}, but for the owner and the mode.
 */
export function describeKeyFile(path: string, ourUid: number): KeyFileFacts {
  const { key, facts } = examine(path, ourUid);
  key.fill(0);
  return facts;
}

function examine(path: string, ourUid: number): { key: Uint8Array; facts: KeyFileFacts } {
  let content: Uint8Array | null = null;
  try {
    // Opening a FIFO would wait for its writer, so what is no file is not opened at all.
    if (!Deno.statSync(path).isFile) throw notAFile(path);
    using file = Deno.openSync(path, { read: true });
    // The opened file is judged, not whatever the name points to a moment later.
    const info = file.statSync();
    if (!info.isFile || info.mode === null || info.uid === null || info.gid === null) {
      throw notAFile(path);
    }
    content = readAll(path, file);
    const key = parseKeyFile(content, path);
    const facts: KeyFileFacts = {
      id: keyId(key),
      writtenAt: info.mtime?.getTime() ?? null,
      uid: info.uid,
      gid: info.gid,
      mode: info.mode & 0o7777,
      problem: checkKeyFile({ mode: info.mode, uid: info.uid }, path, ourUid),
    };
    return { key, facts };
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    content?.fill(0);
  }
}

function readAll(path: string, file: Deno.FsFile): Uint8Array {
  const bytes = new Uint8Array(LARGEST + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
  }
  bytes.fill(0);
  throw new Failure(`${path} is larger than a key file`, { exit: ExitCode.data });
}

/**
 * Finds the key nobody has to name: the environment, the configuration, the usual places.
 *
 * @param named What `--key` says, or null.
 * @param configured What the configuration says, or null.
 * @returns A path. Where somebody named it, it need not exist.
 * @throws {Failure} 78 when there is none.
 */
export function findKeyFile(
  named: string | null,
  environment: Environment,
  configured: string | null,
): string {
  const path = named ?? (environment.env.IPCAUTH_KEY_FILE || configured);
  if (path !== null) return path;
  const places = keyPaths(environment);
  const found = places.find(isThere);
  if (found !== undefined) return found;
  throw new Failure(`There is no key: ${noneExists(places)}`, {
    exit: ExitCode.config,
    hint: "ipcauth gen-key",
  });
}

function noneExists(places: readonly string[]): string {
  const [first, second, ...more] = places;
  if (second === undefined) return `${first} does not exist`;
  if (more.length === 0) return `neither ${first} nor ${second} exists`;
  return `none of ${places.slice(0, -1).join(", ")} and ${places.at(-1)} exists`;
}

/** Where `gen-key` puts a key that nobody has named a file for. */
export function newKeyPath(environment: Environment): string {
  const [path] = keyPaths(environment);
  return environment.env.IPCAUTH_KEY_FILE || path!;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // What may not be looked at is there, as far as anybody can tell.
    return !(error instanceof Deno.errors.NotFound);
  }
}

/**
 * Puts a key into a file that only its owner may read, and makes it durable. The directory is made where
 * there is none.
 *
 * @param path The file. A link stays, and what it leads to is replaced.
 * @param key 32 bytes; not changed.
 * @param options `force`: whether a key that is there may be replaced; it keeps its owner, and its group
 * may go on reading. `ourUid`: who we are.
 * @returns The path, absolute.
 * @throws {Failure} 73 when the file is there, 78 when others could replace it, 77 and 71 when the system
 * refuses. The old file is as it was then.
 */
export function storeKey(
  path: string,
  key: Uint8Array,
  { force, ourUid }: { readonly force: boolean; readonly ourUid: number },
): string {
  const absolute = resolve(path);
  const replaces = existing(absolute, force);
  const text = formatKey(key);
  try {
    Deno.mkdirSync(dirname(absolute), { recursive: true, mode: ourUid === 0 ? 0o755 : 0o700 });
    const place = replaces ? Deno.realPathSync(absolute) : absolute;
    demandSafe(dirname(place), ourUid);
    if (replaces) replace(place, text);
    else create(place, text);
    return absolute;
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.EEXIST) throw alreadyThere(absolute);
    throw error instanceof Failure ? error : unwritable(absolute, error);
  } finally {
    text.fill(0);
  }
}

/** Whether there is one already that may be replaced. @throws {Failure} 73 where it may not. */
function existing(path: string, force: boolean): boolean {
  let link: Deno.FileInfo;
  try {
    link = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw unwritable(path, error);
  }
  if (!force) throw alreadyThere(path);
  try {
    const info = link.isSymlink ? Deno.statSync(path) : link;
    if (info.isFile) return true;
  } catch (error) {
    throw new Failure(`${path} is a link to a file that is not there`, {
      exit: ExitCode.exists,
      hint: `rm ${shellWord(path)}`,
      cause: error,
    });
  }
  throw new Failure(`${path} is not a regular file, and is not replaced`, {
    exit: ExitCode.exists,
    hint: `ls -ld ${shellWord(path)}`,
  });
}

function demandSafe(directory: string, ourUid: number): void {
  const real = Deno.realPathSync(directory);
  const { mode, uid } = Deno.statSync(real);
  if (mode === null || uid === null) throw new TypeError("this system knows no owners");
  const problem = checkDirectory({ mode, uid }, real, ourUid);
  if (problem === null) return;
  throw new Failure(`A key is not put where others could replace it: ${problem.sentence}`, {
    exit: ExitCode.config,
    hint: problem.fix,
  });
}

/** Replaces a key. It keeps its owner, and its group may go on reading it. */
function replace(path: string, text: Uint8Array<ArrayBuffer>): void {
  using directory = new Directory(dirname(path));
  using old = directory.open(basename(path));
  // A mode that let others read was a mistake, and the whole of it is not taken over.
  const isSafe = (old.status().mode & 0o777 & ~0o640) === 0;
  atomicWrite(directory, basename(path), text, {
    temporaryName: `.${crypto.randomUUID()}.key`,
    model: old,
    mode: isSafe ? 0o640 : 0o600,
  });
}

/** Makes a key where there is none. */
function create(path: string, text: Uint8Array<ArrayBuffer>): void {
  using directory = new Directory(dirname(path));
  using file = directory.create(basename(path), 0o600);
  try {
    file.write(text);
    file.sync();
    directory.sync();
  } catch (error) {
    directory.remove(basename(path));
    throw error;
  }
}

function alreadyThere(path: string): Failure {
  return new Failure(`${path} exists already, and is left as it is`, {
    exit: ExitCode.exists,
    hint: `ipcauth gen-key --show ${shellWord(path)}, or --force to replace it`,
  });
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
  return new Failure(`Cannot read the key file ${path}: ${reason(cause)}`, {
    exit: denied ? ExitCode.refused : ExitCode.os,
    hint: `ls -l ${shellWord(path)}`,
    cause,
  });
}

function unwritable(path: string, cause: unknown): Failure {
  const denied = isDenied(cause);
  return new Failure(`Cannot write the key file ${path}: ${reason(cause)}`, {
    exit: denied ? ExitCode.refused : ExitCode.os,
    hint: `ls -ld ${shellWord(dirname(path))}`,
    cause,
  });
}

function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof SystemError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof SystemError) return describe(error.errno);
  return messageOf(error);
}
