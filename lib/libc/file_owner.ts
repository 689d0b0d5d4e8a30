/**
 * Changing the owner of a file that this process has made: `fchown(2)`.
 *
 * @module
 */
import { NO_ID, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

/**
 * Gives an open file to a user and a group.
 *
 * @throws {SystemError} `EPERM` without root's rights.
 */
export function giveFile(file: Descriptor, uid: number, gid: number): void {
  check("fchown", libc.fchown(file.number, uid, gid));
}

/**
 * Gives a directory to a user; its group stays.
 *
 * @param path The directory. A symbolic link in its last part is not followed.
 * @throws {SystemError} `ENOTDIR` when it is no directory, `EPERM` without root's rights.
 */
export function giveDirectory(path: string, uid: number): void {
  const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  using directory = new Descriptor(check("open", libc.open(cString(path), flags, 0)));
  giveFile(directory, uid, NO_ID);
}
