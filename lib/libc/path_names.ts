/**
 * Names in directories: `mkdir(2)`, `unlink(2)`, `realpath(3)`.
 *
 * Deno 2.9.6 permits its own file functions below `/dev`, `/proc` and `/sys` only with
 * `--allow-all`, and `/dev/shm` is an ordinary place for a socket.
 *
 * @module
 */
import { check, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

/** The longest path, in bytes, with its NUL: `PATH_MAX` of linux/limits.h. */
const PATH_MAX = 4096;

/**
 * Makes a directory.
 *
 * @param mode The permission bits, before the umask.
 * @throws {SystemError} `EEXIST` where the name is taken, `ENOENT` where the directory above is
 * missing, and others.
 */
export function makeOneDirectory(path: string, mode: number): void {
  check("mkdir", libc.mkdir(cString(path), mode));
}

/**
 * Removes a name.
 *
 * @throws {SystemError} When it cannot be removed.
 */
export function removeName(path: string): void {
  check("unlink", libc.unlink(cString(path)));
}

/**
 * The absolute path of a file without symbolic links.
 *
 * @throws {SystemError} `ENOENT` where there is no such file, and others.
 */
export function realPath(path: string): string {
  const buffer = new Uint8Array(PATH_MAX);
  if (libc.realpath(cString(path), buffer) === 0n) throw new SystemError("realpath");
  return new TextDecoder().decode(buffer.subarray(0, buffer.indexOf(0)));
}
