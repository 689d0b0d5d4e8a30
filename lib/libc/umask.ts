/**
 * The file mode creation mask, for one thread alone.
 *
 * @module
 */
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

const CLONE_FS = 0x200;

/**
 * Gives the calling thread a mask (and a working directory) of its own (`unshare(2)`, `CLONE_FS`), so
 * that {@linkcode withUmask} cannot widen what another thread creates at the same moment.
 *
 * @throws {SystemError} When the kernel refuses, as some sandboxes make it do.
 */
export function separateUmask(): void {
  check("unshare", libc.unshare(CLONE_FS));
}

/** Runs something with a file mode creation mask, and puts the old one back. */
export function withUmask<T>(mask: number, run: () => T): T {
  const before = libc.umask(mask);
  try {
    return run();
  } finally {
    libc.umask(before);
  }
}
