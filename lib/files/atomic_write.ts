/**
 * Replacing the content of a file: all of it or nothing, and durable.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import type { Directory, DirectoryFile } from "../libc/directory.ts";

/** What the file that {@linkcode atomicWrite} makes is like. */
export interface AtomicWriteOptions {
  /**
   * The name the new file has until it is renamed. A file of that name is removed: it was left by a
   * process that died. The caller excludes that another process uses the name meanwhile.
   */
  readonly temporaryName: string;
  /** The file whose owner, permissions and labels the new one gets; null for a file of its own. */
  readonly model: DirectoryFile | null;
  /**
   * The permission bits; with a model, the ones the file may have at most. Set-user-ID and the like
   * are to be none of them.
   */
  readonly mode: number;
}

/**
 * Writes a file beside the one to replace, makes it durable (`fsync(2)`), renames it, and makes the
 * rename durable. A reader sees the old file or the new one, whole.
 *
 * @param directory Where the file lies.
 * @param name The file's name in it.
 * @param bytes The new content.
 * @throws {SystemError} When a system call fails. The old file is as it was then.
 * @throws {Failure} 71 when the file is a mount point, which no other file can replace; and when
 * the new file is in its place, and that could not be made durable.
 */
export function atomicWrite(
  directory: Directory,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  { temporaryName, model, mode }: AtomicWriteOptions,
): void {
  directory.remove(temporaryName);
  try {
    writeFinished(directory, bytes, { temporaryName, model, mode });
    directory.rename(temporaryName, name);
  } catch (error) {
    directory.remove(temporaryName);
    if (error instanceof SystemError && error.errno === Errno.EBUSY) throw mountPoint(name, error);
    throw error;
  }
  try {
    directory.sync();
  } catch (error) {
    throw error instanceof SystemError ? notDurable(name, error) : error;
  }
}

/** Closes the file as well: a server that reads it waits as long as it is open for writing. */
function writeFinished(
  directory: Directory,
  bytes: Uint8Array<ArrayBuffer>,
  { temporaryName, model, mode }: AtomicWriteOptions,
): void {
  // No other user reads the file before it is whole and its permissions are final.
  using file = directory.create(temporaryName, 0o600);
  file.write(bytes);
  if (model === null) file.chmod(mode);
  else file.copyRights(model, mode);
  file.sync();
}

/** The change is made, so it must not look like one that is not. */
function notDurable(name: string, cause: SystemError): Failure {
  return new Failure(
    `${name} is written, but the old one may be back after a crash: ${describe(cause.errno)}`,
    { exit: ExitCode.os, hint: "dmesg | tail", cause },
  );
}

/** A file that was mounted by itself, as containers do, is no entry of its directory alone. */
function mountPoint(name: string, cause: SystemError): Failure {
  return new Failure(
    `Cannot replace ${name}: it is a mount point of its own, and a file is written by replacing it`,
    {
      exit: ExitCode.os,
      hint: "mount the directory of the file instead of the file, or edit it outside of the mount",
      cause,
    },
  );
}
