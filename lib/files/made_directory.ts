/**
 * Making directories that other users may enter.
 *
 * @module
 */
import { dirname } from "@std/path";
import { Errno, SystemError } from "../libc/errno.ts";
import { fileStatus, FileType } from "../libc/file_status.ts";
import { makeOneDirectory } from "../libc/path_names.ts";
import { withUmask } from "../libc/umask.ts";

/** The bits that no directory of this program has: others change nothing in it. */
const MASK = 0o022;

/**
 * Makes a directory with exactly the given permission bits. The umask of the caller, such as 077,
 * would keep out the users that the directory is made for.
 *
 * @param mode Its permission bits, none of {@linkcode MASK}.
 * @throws {SystemError} `EEXIST` where the name is taken, `ENOENT` where the directory above is
 * missing, and others.
 */
export function makeDirectory(path: string, mode: number): void {
  withUmask(MASK, () => makeOneDirectory(path, mode));
}

/**
 * Makes a directory, and the missing ones above it, as {@linkcode makeDirectory}. One that exists
 * stays as it is.
 *
 * @throws {SystemError} `ENOTDIR` where the name is taken by something else, and others.
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    makeDirectory(path, mode);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === Errno.ENOENT && dirname(path) !== path) {
      makeDirectories(dirname(path), mode);
      makeDirectory(path, mode);
    } else if (error.errno === Errno.EEXIST) {
      const isDirectory = (fileStatus(path).mode & FileType.mask) === FileType.directory;
      if (!isDirectory) throw new SystemError("mkdir", Errno.ENOTDIR);
    } else throw error;
  }
}
