/**
 * Parts of a path that are held open (`O_PATH`): what is learned of one is true of the same object
 * that is used then, whatever its name stands for meanwhile.
 *
 * @module
 */
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/fcntl.h
const O_PATH = 0o10000000;
/** The longest target of a link, in bytes: PATH_MAX of linux/limits.h. */
const MAX_TARGET_BYTES = 4096;

/** Opens the root directory. @throws {SystemError} `EMFILE` and others of `open(2)`. */
export function openRoot(): Descriptor {
  return openAt(AT_FDCWD, "/");
}

/**
 * Opens an entry of a directory, a symbolic link itself included.
 *
 * @param directory The directory, from {@linkcode openRoot} or this function.
 * @param name The entry, or `..`.
 * @throws {SystemError} `ENOENT` and others of `openat(2)`.
 */
export function openPart(directory: Descriptor, name: string): Descriptor {
  return openAt(directory.number, name);
}

function openAt(directory: number, name: string): Descriptor {
  const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  return new Descriptor(check("open", libc.openat(directory, cString(name), flags, 0)));
}

/**
 * Reads the target of a symbolic link that was opened (`readlinkat(2)`).
 *
 * @throws {SystemError} `ENAMETOOLONG` for a target that is longer than a path can be, and others.
 */
export function openedLinkTarget(link: Descriptor): string {
  const buffer = new Uint8Array(MAX_TARGET_BYTES);
  const length = libc.readlinkat(link.number, cString(""), buffer, BigInt(buffer.length));
  if (check("readlink", length) === buffer.length) {
    throw new SystemError("readlink", Errno.ENAMETOOLONG);
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}
