/**
 * The place of a socket file: a path that is short enough, in a directory that no other user can
 * change, where no other file is.
 *
 * @module
 */
import { dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { makeDirectory } from "../files/made_directory.ts";
import { checkDirectory, type PathProblem, requireSafe } from "../files/permissions.ts";
import { isDenied, reasonOf } from "../files/system_reason.ts";
import { checkPath } from "../files/trusted_path.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { giveDirectory } from "../libc/file_owner.ts";
import { type FileStatus, fileStatus, FileType, linkStatus } from "../libc/file_status.ts";
import { effectiveUid } from "../libc/ids.ts";
import { AddressError, unixAddress } from "../libc/unix_address.ts";
import { shellWord } from "../text/shell_word.ts";

/** The address of a socket. @throws {Failure} 64 for a path that is too long. */
export function socketAddress(path: string): Uint8Array<ArrayBuffer> {
  try {
    return unixAddress(path);
  } catch (cause) {
    if (!(cause instanceof AddressError)) throw cause;
    throw new Failure(`Cannot listen: ${cause.message}`, {
      exit: ExitCode.usage,
      hint: "choose a shorter path",
      cause,
    });
  }
}

/**
 * Makes the directory of sockets where it is missing, so that a process which will not be allowed
 * to make it has it.
 *
 * @returns As {@linkcode prepareSocketPlace}.
 * @throws {Failure} As {@linkcode prepareSocketPlace}.
 */
export function prepareSocketDirectory(directory: string, serverUid: number): string | null {
  return prepareSocketPlace(`${directory}/socket`, serverUid);
}

/**
 * Checks the place of a socket, and makes nothing there. A running server is none of its problems,
 * nor is a directory that the caller has no permission to make.
 *
 * @throws {Failure} 64 for a path that is too long, 73 when another file is there, 78 when the
 * directory is not trusted, 71 when it cannot be looked at.
 */
export function checkSocketPlace(path: string, serverUid: number): void {
  socketAddress(path);
  requireSafePath(path, serverUid);
  const directory = dirname(path);
  if (linkStatus(directory) !== null) requireDirectory(directory, serverUid);
  else if (linkStatus(dirname(directory)) === null) throw noDirectoryFor(directory);
  requireSocket(path, linkStatus(path));
}

/**
 * Makes the directory of a socket where it is missing.
 *
 * @returns The directory where it was made; null where it was there already.
 * @throws {Failure} 78 when it is not trusted, 71 or 77 when it cannot be made.
 */
export function prepareSocketPlace(path: string, serverUid: number): string | null {
  // First, so that nothing is made where the owner of a directory or link on the way leads to.
  requireSafePath(path, serverUid);
  const directory = dirname(path);
  let made: string | null = null;
  try {
    makeDirectory(directory, 0o755);
    made = directory;
    // After --drop-to the server must be able to remove the socket file.
    if (effectiveUid() !== serverUid) giveDirectory(directory, serverUid);
  } catch (error) {
    const number = error instanceof SystemError ? error.errno : null;
    if (number === Errno.ENOENT) throw noDirectoryFor(directory);
    if (number !== Errno.EEXIST) {
      throw new Failure(`Cannot create the directory ${directory}: ${reasonOf(error)}`, {
        exit: isDenied(error) ? ExitCode.refused : ExitCode.os,
        hint: `namei -l ${shellWord(directory)}`,
        cause: error,
      });
    }
    requireSafePath(path, serverUid);
  }
  requireDirectory(directory, serverUid);
  return made;
}

/** Checks the directory of a socket that is there. @throws {Failure} 71 or 78. */
export function requireSafePlace(path: string, serverUid: number): void {
  requireSafePath(path, serverUid);
  requireDirectory(dirname(path), serverUid);
}

/**
 * Checks the directories and links of a path that exist. Not in a user namespace that does not map
 * root: all that is root's belongs to the overflow uid there.
 *
 * @throws {Failure} 78 when another user could replace the socket, or lead to another place.
 */
function requireSafePath(path: string, serverUid: number): void {
  let problem: PathProblem | null;
  try {
    if (fileStatus("/").uid !== 0) return;
    problem = checkPath(path, serverUid);
  } catch (error) {
    throw unusable(dirname(path), error);
  }
  requireSafe(problem, "The socket directory");
}

/** @throws {Failure} 71 when it cannot be looked at; 78 when another user could replace entries. */
function requireDirectory(directory: string, serverUid: number): void {
  let status: FileStatus;
  try {
    status = fileStatus(directory);
  } catch (error) {
    throw unusable(directory, error);
  }
  requireSafe(checkDirectory(status, directory, serverUid), "The socket directory");
}

/** The directory above the one of a socket is missing. */
function noDirectoryFor(directory: string): Failure {
  return new Failure(`There is no directory ${dirname(directory)}`, {
    exit: ExitCode.os,
    hint: `mkdir -p ${shellWord(directory)}`,
  });
}

/** Such as a link to itself, or to a directory that does not exist. */
function unusable(directory: string, error: unknown): Failure {
  return new Failure(`Cannot use the socket directory ${directory}: ${reasonOf(error)}`, {
    exit: ExitCode.os,
    hint: `namei -l ${shellWord(directory)}`,
    cause: error,
  });
}

/** @throws {Failure} 73 when there is another file. @param found What is there, or null. */
export function requireSocket(path: string, found: FileStatus | null): void {
  if (found === null || (found.mode & FileType.mask) === FileType.socket) return;
  throw new Failure(`${path} exists and is not a socket`, {
    exit: ExitCode.exists,
    hint: "choose another path, or move that file away",
  });
}
