/**
 * Files, where Deno's own functions do not reach: locks that never wait, and a look at a file that
 * costs no allocation.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;

const O_NOFOLLOW = Deno.build.arch === "x86_64" ? 0o400000 : 0o100000;
const O_CLOEXEC = 0o2000000;
// asm-generic/fcntl.h; arm64 has numbers of its own for these
const O_DIRECTORY = Deno.build.arch === "x86_64" ? 0o200000 : 0o40000;

/** The type bits of a mode (`inode(7)`). */
export const FileType = {
  mask: 0o170000,
  socket: 0o140000,
  regular: 0o100000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** What `statx(2)` says of one file. */
export interface FileStatus {
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes; 0 for what has none, such as a device. */
  readonly size: number;
  /** Device and inode together: which file it is. */
  readonly identity: string;
}

function statusOf(descriptor: number, path: Uint8Array<ArrayBuffer>, flags: number): FileStatus {
  const buffer = new Uint8Array(256);
  check("statx", libc.statx(descriptor, path, flags, STATX_BASIC_STATS, buffer));
  const view = new DataView(buffer.buffer);
  return {
    mode: view.getUint16(0x1c, true),
    uid: view.getUint32(0x14, true),
    gid: view.getUint32(0x18, true),
    size: Number(view.getBigUint64(0x28, true)),
    identity: `${view.getUint32(0x88, true)}:${view.getUint32(0x8c, true)}:${
      view.getBigUint64(0x20, true)
    }`,
  };
}

/**
 * The status of a path, of the link itself where it is one; null when nothing is there.
 *
 * @throws {SystemError} When it cannot be looked at for another reason.
 */
export function linkStatus(path: string): FileStatus | null {
  try {
    return statusOf(AT_FDCWD, cString(path), AT_SYMLINK_NOFOLLOW);
  } catch (error) {
    if (error instanceof SystemError && error.errno === Errno.ENOENT) return null;
    throw error;
  }
}

/**
 * The status of a path, links followed.
 *
 * @throws {SystemError} When it cannot be looked at.
 */
export function fileStatus(path: string): FileStatus {
  return statusOf(AT_FDCWD, cString(path), 0);
}

/**
 * The status of an open file.
 *
 * @throws {SystemError} When it cannot be looked at.
 */
export function descriptorStatus(descriptor: Descriptor): FileStatus {
  return numberStatus(descriptor.number);
}

/**
 * The status of an open file that has no owner of ours, such as a standard stream.
 *
 * @throws {SystemError} `EBADF` when no file has this number.
 */
export function numberStatus(number: number): FileStatus {
  return statusOf(number, cString(""), AT_EMPTY_PATH);
}

/**
 * The content of a file of `/proc`, which Deno lets nobody read who has not every right there is.
 *
 * @throws {SystemError} When it cannot be read.
 */
export function readProcBytes(path: string): Uint8Array<ArrayBuffer> {
  using file = new Descriptor(check("open", libc.open(cString(path), O_CLOEXEC, 0)));
  let buffer = new Uint8Array(4096);
  let filled = 0;
  for (;;) {
    const rest = buffer.subarray(filled);
    const count = check("read", libc.read(file.number, rest, BigInt(rest.length)));
    if (count === 0) return buffer.slice(0, filled);
    filled += count;
    if (filled === buffer.length) {
      const larger = new Uint8Array(2 * filled);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

/**
 * The text of a file of `/proc`.
 *
 * @throws {SystemError} When it cannot be read.
 */
export function readProc(path: string): string {
  return new TextDecoder().decode(readProcBytes(path));
}

/** Opens a file to read, and closes it again. @returns 0 or the error number. */
export function tryToRead(path: string): number {
  const number = libc.open(cString(path), O_CLOEXEC, 0);
  if (number < 0) return errno();
  new Descriptor(number).close();
  return 0;
}

/** Gives a directory that we have made to its user. */
export function giveDirectory(path: string, uid: number): void {
  const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  using directory = new Descriptor(check("open", libc.open(cString(path), flags, 0)));
  check("fchown", libc.fchown(directory.number, uid, NO_CHANGE));
}

const NO_CHANGE = 0xffff_ffff;
