/**
 * Making directories that other users may enter.
 *
 * @module
 */
import { withUmask } from "../libc/umask.ts";

/** The bits that no directory of this program has: others change nothing in it. */
const MASK = 0o022;

/**
 * Makes a directory with exactly the given permission bits. The umask of the caller, such as 077,
 * would keep out the users that the directory is made for.
 *
 * @param path The directory.
 * @param options `mode`: its permission bits, and those of the directories above it that are made;
 * none of {@linkcode MASK}. `recursive`: whether those are made, and an existing one is no error.
 * @throws {Deno.errors} As `Deno.mkdirSync`.
 */
export function makeDirectory(
  path: string,
  options: { readonly mode: number; readonly recursive: boolean },
): void {
  withUmask(MASK, () => Deno.mkdirSync(path, options));
}
