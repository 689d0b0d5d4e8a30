/**
 * The log file of a server that gives up root: its user must be able to open the file again, or the
 * log would end when the file is moved away.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { tryAs } from "../files/access_as.ts";
import { openToAppend } from "../libc/appended_file.ts";
import { describe, SystemError } from "../libc/errno.ts";
import { fileStatus } from "../libc/file_status.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { shellWord } from "../text/shell_word.ts";

/**
 * Requires that a user can append to the log file.
 *
 * @param path The log file, which exists.
 * @throws {Failure} 78 when the user cannot open it to write.
 */
export function requireAppendable(identity: ProcessIdentity, path: string): void {
  const error = tryAs(identity, () => tryToAppend(path));
  if (error === 0) return;
  const { uid, gid } = identity;
  // Where the user owns the file, a directory of its path denies access.
  const hint = fileStatus(path).uid === uid
    ? `namei -l ${shellWord(path)}`
    : `chown ${uid}:${gid} ${shellWord(path)}`;
  throw new Failure(
    `uid ${uid} cannot write to the log file ${path} (${
      describe(error)
    }), so it could not be opened again after it was moved away`,
    { exit: ExitCode.config, hint },
  );
}

/** Opens a file to append, and closes it. @returns 0 or the error number. */
function tryToAppend(path: string): number {
  try {
    openToAppend(path, 0).descriptor.close();
    return 0;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.errno;
  }
}
