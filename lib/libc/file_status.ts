/**
 * The status of a file: `statx(2)`.
 *
 * @module
 */
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, SIZEOF_STATX, STATX_BASIC_STATS } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// linux/fcntl.h
const AT_EMPTY_PATH = 0x1000;

/** The file type bits of a mode: `inode(7)`, linux/stat.h. */
export const FileType = {
  mask: 0o170000,
  socket: 0o140000,
  link: 0o120000,
  regular: 0o100000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** The fields of `struct statx` that this program uses. */
export interface FileStatus {
  /** File type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** How many names the file has. */
  readonly links: number;
  /** In bytes; 0 for a device, a FIFO and a socket. */
  readonly size: number;
  /** When its content was last written, in milliseconds since the epoch, without a fraction. */
  readonly writtenAt: number;
  /** `MAJOR:MINOR:INODE`. Two statuses of one file have the same text, whatever its names are. */
  readonly identity: string;
}

/**
 * Reads the status of a path. A symbolic link is not followed.
 *
 * @param path The path, without a NUL.
 * @returns The status, or null when nothing has this name (`ENOENT`).
 * @throws {SystemError} When it cannot be read for another reason.
 */
export function linkStatus(path: string): FileStatus | null {
  try {
    return readStatus(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.ENOENT) return null;
    throw error;
  }
}

/**
 * Reads the status of a path. Symbolic links are followed.
 *
 * @param path The path, without a NUL.
 * @throws {SystemError} When it cannot be read; `ENOENT` when nothing has this name.
 */
export function fileStatus(path: string): FileStatus {
  return readStatus(AT_FDCWD, path, 0);
}

/**
 * Reads the status of a path, where something has this name. Symbolic links are followed.
 *
 * @param path The path, without a NUL.
 * @returns The status, or null when nothing has this name: `ENOENT`, or `ENOTDIR`, where a part of
 * the path is no directory.
 * @throws {SystemError} When that cannot be known.
 */
export function findStatus(path: string): FileStatus | null {
  try {
    return fileStatus(path);
  } catch (error) {
    const errno = error instanceof SystemError ? error.errno : 0;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return null;
    throw error;
  }
}

/**
 * Reads the status of an open file.
 *
 * @throws {SystemError} When it cannot be read.
 */
export function descriptorStatus(descriptor: Descriptor): FileStatus {
  return numberStatus(descriptor.number);
}

/**
 * Reads the status of an open file that no {@linkcode Descriptor} owns, such as a standard stream.
 *
 * @param number The number of the descriptor.
 * @throws {SystemError} `EBADF` when no open file has this number.
 */
export function numberStatus(number: number): FileStatus {
  return readStatus(number, "", AT_EMPTY_PATH);
}

/**
 * Reads the target of a symbolic link: `readlink(2)`.
 *
 * @throws {SystemError} `EINVAL` when it is no link, `ENAMETOOLONG` for a target that is longer
 * than a path can be, and others.
 */
export function linkTarget(path: string): string {
  // PATH_MAX of linux/limits.h
  const buffer = new Uint8Array(4096);
  const length = libc.readlink(cString(path), buffer, BigInt(buffer.length));
  if (check("readlink", length) === buffer.length) {
    throw new SystemError("readlink", Errno.ENAMETOOLONG);
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}

function readStatus(directory: number, path: string, flags: number): FileStatus {
  const buffer = new Uint8Array(SIZEOF_STATX);
  check("statx", libc.statx(directory, cString(path), flags, STATX_BASIC_STATS, buffer));
  const view = new DataView(buffer.buffer);
  // struct statx (linux/stat.h)
  return {
    mode: view.getUint16(0x1c, true),
    uid: view.getUint32(0x14, true),
    gid: view.getUint32(0x18, true),
    links: view.getUint32(0x10, true),
    size: Number(view.getBigUint64(0x28, true)),
    writtenAt: Number(view.getBigInt64(0x70, true)) * 1000 +
      Math.trunc(view.getUint32(0x78, true) / 1e6),
    identity: `${view.getUint32(0x88, true)}:${view.getUint32(0x8c, true)}:${
      view.getBigUint64(0x20, true)
    }`,
  };
}
