/**
 * Writing the configuration: one writer at a time, all or nothing, and still there after a power cut.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { LockFile } from "../libc/files.ts";
import { shellWord } from "../policy/shell_word.ts";
import type { Ground } from "../policy/types.ts";
import { judgeParent, readConfigFile, refuse } from "./load.ts";

/** How long another writer is waited for, in milliseconds, and how often it is looked whether it is done. */
const PATIENCE = 10_000;
const PAUSE = 5;

/** The mode of a configuration that is made. It holds no secret, and clients look into it. */
const NEW_MODE = 0o644;

/**
 * Edits a configuration file.
 *
 * @param path The file; a link is followed and stays. It need not exist: then the edit begins with "".
 * @param ground Who edits it.
 * @param edit Pure: the old text → the new one. The same text means that nothing is written.
 * @returns Whether something was written.
 * @throws {Failure} What `edit` throws; 77 when we may not write there, 71 when the system refuses. The
 * old file is as it was then.
 */
export async function editConfigFile(
  path: string,
  ground: Ground,
  edit: (text: string) => string,
): Promise<boolean> {
  try {
    const real = realPath(path);
    using _lock = await acquire(`${real}.lock`);
    const old = readConfigFile(real, ground);
    if (old === null) refuse(judgeParent(real, ground));
    const text = edit(old ?? "");
    if (text === old) return false;
    replace(real, text, old === null ? null : Deno.statSync(real));
    return true;
  } catch (error) {
    throw error instanceof Failure ? error : refused(path, error);
  }
}

/** Where the file itself lies. Missing directories are made. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (isLink(path)) {
    throw new Failure(`The configuration ${path} is a link to a file that is not there`, {
      exit: ExitCode.config,
      hint: `rm ${shellWord(path)}`,
    });
  }
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  return join(Deno.realPathSync(dirname(path)), basename(path));
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function acquire(path: string): Promise<LockFile> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const lock = LockFile.tryAcquire(path);
    if (lock !== null) return lock;
    if (performance.now() > deadline) {
      throw new Failure(
        `Somebody else has been editing for ${PATIENCE / 1000} s: ${path} is locked`,
        {
          exit: ExitCode.os,
          hint: `fuser -v ${shellWord(path)}`,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/**
 * Puts a text in a file's place: written beside it, made durable, then renamed over it, then the rename
 * made durable. A reader sees the old file or the new one, whole.
 */
function replace(path: string, text: string, old: Deno.FileInfo | null): void {
  const beside = `${path}.new`;
  // We hold the lock, so a file of this name was left by somebody who died.
  removeIfThere(beside);
  try {
    using file = Deno.openSync(beside, { write: true, createNew: true, mode: 0o600 });
    let bytes: Uint8Array = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
    // The owner first: a change of owner may clear bits of the mode.
    if (old !== null) keepOwner(beside, old);
    Deno.chmodSync(beside, (old?.mode ?? NEW_MODE) & 0o7777);
    file.syncSync();
    Deno.renameSync(beside, path);
  } catch (error) {
    removeIfThere(beside);
    throw error;
  }
  using directory = Deno.openSync(dirname(path), { read: true });
  directory.syncSync();
}

function keepOwner(path: string, { uid, gid }: Deno.FileInfo): void {
  const made = Deno.statSync(path);
  if (made.uid !== uid || made.gid !== gid) Deno.chownSync(path, uid, gid);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function refused(path: string, error: unknown): Failure {
  const denied = error instanceof Deno.errors.PermissionDenied ||
    error instanceof SystemError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
  if (denied) {
    return new Failure(`Cannot write ${path}: permission denied`, {
      exit: ExitCode.refused,
      hint: `ls -ld ${shellWord(dirname(path))} ${shellWord(path)}`,
      cause: error,
    });
  }
  const reason = error instanceof SystemError
    ? describe(error.errno)
    : error instanceof Error
    ? error.message
    : String(error);
  return new Failure(`Cannot write ${path}: ${reason}`, { exit: ExitCode.os, cause: error });
}
