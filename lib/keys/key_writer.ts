/**
 * Writing key files: durable, and readable by the owner alone.
 *
 * @module
 */
import { basename, dirname, resolve } from "@std/path";
import { type Environment, keyPaths } from "../config/default_paths.ts";
import { ExitCode, Failure } from "../errors.ts";
import { atomicWrite } from "../files/atomic_write.ts";
import { makeDirectories } from "../files/made_directory.ts";
import { requireSafe } from "../files/permissions.ts";
import { checkPath } from "../files/trusted_path.ts";
import { Directory, type DirectoryFile } from "../libc/directory.ts";
import { type FileStatus, FileType, findStatus, linkStatus } from "../libc/file_status.ts";
import { realPath } from "../libc/path_names.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { diskHint, isDenied, reasonOf } from "../files/system_reason.ts";
import { shellWord } from "../text/shell_word.ts";
import { forbidMemoryDumps } from "../libc/core_dump.ts";
import { formatKey, generateKey } from "./key_format.ts";
import { keyId } from "./key_id.ts";

/**
 * The file that `gen-key` writes where none is named: `IPCAUTH_KEY_FILE`, or the first default
 * path.
 */
export function newKeyPath(environment: Environment): string {
  const [path] = keyPaths(environment);
  return environment.variables.IPCAUTH_KEY_FILE || path!;
}

/**
 * Writes a key to a file that only its owner may read, and makes it durable. A missing directory is
 * made.
 *
 * @param path The file. A symbolic link stays, and its target is replaced.
 * @param key 32 bytes; not changed.
 * @param options `force`: whether an existing key may be replaced; the file keeps its owner, and
 * its group may go on reading. `ownUid`: the effective uid of this process.
 * @returns The path, absolute.
 * @throws {Failure} 73 when the file exists and `force` is false, or it is no regular file; 78 when
 * other users could replace it; 77 and 71 when the system refuses. The old file is as it was then.
 */
export function storeKey(
  path: string,
  key: Uint8Array,
  { force, ownUid }: { readonly force: boolean; readonly ownUid: number },
): string {
  const absolute = resolve(path);
  const replaces = requireReplaceable(absolute, force);
  const text = formatKey(key);
  try {
    makeDirectories(dirname(absolute), ownUid === 0 ? 0o755 : 0o700);
    const target = replaces ? realPath(absolute) : absolute;
    const problem = checkPath(absolute, ownUid) ?? checkPath(target, ownUid);
    requireSafe(problem, "A key is not written where other users could replace it:");
    if (replaces) replace(target, text);
    else create(target, text);
    return absolute;
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.EEXIST) throw exists(absolute);
    throw error instanceof Failure ? error : unwritable(absolute, error);
  } finally {
    text.fill(0);
  }
}

/**
 * @returns Whether there is a file to replace.
 *
 * @throws {Failure} 73 where it may not be replaced.
 */
function requireReplaceable(path: string, force: boolean): boolean {
  let status: FileStatus | null;
  try {
    if (linkStatus(path) === null) return false;
    if (!force) throw exists(path);
    status = findStatus(path);
  } catch (error) {
    throw error instanceof Failure ? error : unwritable(path, error);
  }
  if (status === null) {
    throw new Failure(`${path} is a link to a file that does not exist`, {
      exit: ExitCode.exists,
      hint: `rm ${shellWord(path)}`,
    });
  }
  if ((status.mode & FileType.mask) === FileType.regular) return true;
  throw new Failure(`${path} is not a regular file, and is not replaced`, {
    exit: ExitCode.exists,
    hint: `ls -ld ${shellWord(path)}`,
  });
}

/**
 * Makes a key in a new file beside another one, with its owner, its group and their rights.
 *
 * @param path The new file, in the same directory.
 * @param options `like`: the other key file. `ownUid`: the effective uid of this process.
 * @returns The key's id, the path, and how to take the file away again.
 * @throws {Failure} As {@linkcode storeKey} without `force`.
 */
export function newKey(
  path: string,
  { ownUid, like }: { readonly ownUid: number; readonly like: string },
): { readonly id: string; readonly path: string; remove(): void } {
  forbidMemoryDumps();
  const key = generateKey();
  try {
    const stored = storeKey(path, key, { force: false, ownUid });
    const remove = () => removeKey(stored);
    try {
      const model = realPath(like);
      using models = new Directory(dirname(model));
      using old = models.open(basename(model));
      const text = formatKey(key);
      try {
        replaceLike(stored, text, old);
      } finally {
        text.fill(0);
      }
    } catch (error) {
      remove();
      throw error instanceof Failure ? error : unwritable(stored, error);
    }
    return { id: keyId(key), path: stored, remove };
  } finally {
    key.fill(0);
  }
}

/** Removes a key file that was made just before. */
export function removeKey(path: string): void {
  using directory = new Directory(dirname(path));
  directory.remove(basename(path));
}

/** Replaces a key. The file keeps its owner, and its group may go on reading it. */
function replace(path: string, text: Uint8Array<ArrayBuffer>): void {
  using directory = new Directory(dirname(path));
  using old = directory.open(basename(path));
  replaceLike(path, text, old);
}

/** Replaces a key by one with the owner, the group and the mode of an open file. */
function replaceLike(path: string, text: Uint8Array<ArrayBuffer>, old: DirectoryFile): void {
  using directory = new Directory(dirname(path));
  // A mode that let other users read the key was a mistake. Then the group loses its right, too.
  const isSafe = (old.status().mode & 0o777 & ~0o640) === 0;
  atomicWrite(directory, basename(path), text, {
    temporaryName: `.${crypto.randomUUID()}.key`,
    model: old,
    mode: isSafe ? 0o640 : 0o600,
  });
}

/** Makes a key file where there is none. */
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

function exists(path: string): Failure {
  return new Failure(`${path} exists already, and is left as it is`, {
    exit: ExitCode.exists,
    hint: `ipcauth gen-key --show ${shellWord(path)}, or --force to replace it`,
  });
}

function unwritable(path: string, cause: unknown): Failure {
  return new Failure(`Cannot write the key file ${path}: ${reasonOf(cause)}`, {
    exit: isDenied(cause) ? ExitCode.refused : ExitCode.os,
    hint: diskHint(dirname(path), cause) ?? `ls -ld ${shellWord(dirname(path))}`,
    cause,
  });
}
