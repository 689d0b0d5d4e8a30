/**
 * Writing the configuration: one writer at a time, atomic and durable.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { atomicWrite } from "../files/atomic_write.ts";
import { lockFailure, LockFile } from "../files/lock_file.ts";
import { makeDirectories } from "../files/made_directory.ts";
import { requireSafe } from "../files/permissions.ts";
import { Directory } from "../libc/directory.ts";
import { linkStatus } from "../libc/file_status.ts";
import { realPath } from "../libc/path_names.ts";
import { diskHint, isAbsent, isDenied, isOfSystem, reasonOf } from "../files/system_reason.ts";
import { shellWord } from "../text/shell_word.ts";
import type { HostFacts } from "../policy/types.ts";
import { readConfigFile } from "./load.ts";
import { checkPath } from "../files/trusted_path.ts";

/** How long an edit waits for another writer, in milliseconds. */
const LOCK_TIMEOUT_MS = 10_000;
/** How often a waiting edit tries to take the lock, in milliseconds. */
const LOCK_RETRY_INTERVAL_MS = 5;

/** The mode of a new configuration. It holds no secret, and clients read it. */
const NEW_FILE_MODE = 0o644;

/**
 * Edits a configuration file.
 *
 * @param path The file; a symbolic link is followed and stays. It need not exist: then the old text
 * is "".
 * @param hostFacts The uid that may own the file and its lock, beside root.
 * @param edit Pure: the old text → the new one. The same text means that nothing is written.
 * @param confirm Called once no other writer can change the file, which may take long. What it
 * throws ends the edit.
 * @param mustExist Whether a missing file is an error, and not an empty one.
 * @returns Whether something was written.
 * @throws What `edit` and `confirm` throw.
 * @throws {Failure} 78 when the file or its path cannot be relied on; 77 when
 * this process may not write there; 71 when the system refuses, or another writer holds the lock
 * for {@linkcode LOCK_TIMEOUT_MS}. The old file is as it was then, unless the message says that the
 * new one is written.
 */
export async function editConfigFile(
  path: string,
  hostFacts: HostFacts,
  edit: (text: string) => string,
  confirm: () => Promise<void> = () => Promise.resolve(),
  mustExist = false,
): Promise<boolean> {
  try {
    const real = realPathOf(path);
    using _lock = await acquire(`${real}.lock`, hostFacts);
    await confirm();
    const old = readConfigFile(real, hostFacts);
    if (old === null && mustExist) {
      throw new Failure(`There is no configuration ${path}`, {
        exit: ExitCode.config,
        hint: `ls -l ${shellWord(path)}`,
      });
    }
    if (old === null) requireSafe(checkPath(path, hostFacts.serverUid), "The configuration");
    const text = edit(old ?? "");
    if (text === old) return false;
    replace(real, text, old === null);
    return true;
  } catch (error) {
    throw isOfSystem(error) ? unwritable(path, error) : error;
  }
}

/** The path without symbolic links. Missing directories are made. */
function realPathOf(path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  if (linkStatus(path) !== null) {
    throw new Failure(`The configuration ${path} is a link to a file that does not exist`, {
      exit: ExitCode.config,
      hint: `rm ${shellWord(path)}`,
    });
  }
  makeDirectories(dirname(path), 0o755);
  return join(realPath(dirname(path)), basename(path));
}

async function acquire(path: string, { serverUid }: HostFacts): Promise<LockFile> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    const lock = tryLock(path, serverUid);
    if (lock !== null) return lock;
    if (performance.now() > deadline) {
      throw new Failure(
        `Another process has been editing for ${LOCK_TIMEOUT_MS / 1000} s: ${path} is locked`,
        {
          exit: ExitCode.os,
          hint: `fuser -v ${shellWord(path)}`,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_INTERVAL_MS));
  }
}

function tryLock(path: string, serverUid: number): LockFile | null {
  try {
    return LockFile.tryAcquire(path, serverUid);
  } catch (error) {
    // Without a lock file it is the directory that cannot be written, and so the configuration.
    throw exists(path) ? lockFailure(path, error) : error;
  }
}

function exists(path: string): boolean {
  try {
    return linkStatus(path) !== null;
  } catch {
    return false;
  }
}

/**
 * Replaces the file, through a descriptor of its directory: a path could lead to another directory
 * by then.
 */
function replace(path: string, text: string, isNew: boolean): void {
  using directory = new Directory(dirname(path));
  using old = isNew ? null : directory.open(basename(path));
  atomicWrite(directory, basename(path), new TextEncoder().encode(text), {
    temporaryName: `${basename(path)}.new`,
    model: old,
    mode: old === null ? NEW_FILE_MODE : 0o777,
  });
}

function unwritable(path: string, cause: unknown): Failure {
  const denied = isDenied(cause);
  const word = shellWord(path);
  return new Failure(`Cannot write ${path}: ${denied ? "permission denied" : reasonOf(cause)}`, {
    exit: denied ? ExitCode.refused : ExitCode.os,
    hint: diskHint(dirname(path), cause) ??
      (denied ? `ls -ld ${shellWord(dirname(path))} ${word}` : `namei -l ${word}`),
    cause,
  });
}
