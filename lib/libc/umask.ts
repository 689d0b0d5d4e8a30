/**
 * The file mode creation mask of one thread: `umask(2)`.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/sched.h
const CLONE_FS = 0x200;

/**
 * Gives the calling thread a mask and a working directory of its own (`unshare(2)`, `CLONE_FS`).
 * Without this, {@linkcode withUmask} would change the mask of all threads.
 *
 * @throws {SystemError} `EPERM` in some sandboxes.
 */
export function separateUmask(): void {
  check("unshare", libc.unshare(CLONE_FS));
}

/**
 * Runs a function under a mask, and restores the mask before.
 *
 * @param mask The permission bits that a file made meanwhile does not get.
 * @returns The result of the function.
 */
export function withUmask<T>(mask: number, run: () => T): T {
  const before = libc.umask(mask);
  try {
    return run();
  } finally {
    libc.umask(before);
  }
}
