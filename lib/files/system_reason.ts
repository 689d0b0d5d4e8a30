/**
 * Why an operation on a file failed, for a message.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { shellWord } from "../text/shell_word.ts";

/** Whether an operation failed for want of a right (`EACCES`, `EPERM`). */
export function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof SystemError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
}

/** Whether there is no file of that name (`ENOENT`). */
export function isAbsent(error: unknown): boolean {
  return error instanceof SystemError && error.errno === Errno.ENOENT;
}

/** Whether an operation on a file failed, and not a check of this program or a bug. */
export function isOfSystem(error: unknown): boolean {
  if (error instanceof SystemError) return true;
  // Deno names some errors of the system by their `code` alone, such as ENOSPC.
  return error instanceof Error && "code" in error && typeof error.code === "string" ||
    Object.values(Deno.errors).some((kind) => error instanceof kind);
}

/**
 * What the system says of a file itself: it is not there, it may not be read, its path leads
 * nowhere. Such a file is a bad one until it is changed.
 */
const OF_THE_FILE: ReadonlySet<string> = new Set([
  ...["EACCES", "EISDIR", "ELOOP", "ENAMETOOLONG", "ENOENT", "ENOTDIR", "ENXIO", "EPERM"],
]);

/**
 * Whether an error says nothing of the file, but of the system at this moment: no descriptor, no
 * memory, a device or a file server that does not answer. The next attempt may succeed, and what
 * the file holds is not known.
 *
 * @param error What was thrown; its causes are searched, too.
 */
export function isPassing(error: unknown): boolean {
  const code = systemCode(error);
  return code !== null && !OF_THE_FILE.has(code);
}

/** Whether an operation failed for want of a descriptor. */
export function isExhausted(error: unknown): boolean {
  const code = systemCode(error);
  return code === "EMFILE" || code === "ENFILE";
}

/** The error number's symbol in an error or its causes, or null where none is of the system. */
function systemCode(error: unknown): string | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    const code = (one as { readonly code?: unknown }).code;
    if (one instanceof SystemError) return one.code;
    // Errors of Deno's file functions have the symbol as well.
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return null;
}

/** The reason as the end of a sentence, such as `permission denied`. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (isAbsent(error)) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof SystemError ? describe(error.errno) : messageOf(error);
}

/**
 * The command that shows why the file system of a directory takes nothing: full, or read-only.
 *
 * @returns Null where an operation failed for another reason.
 */
export function diskHint(directory: string, error: unknown): string | null {
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return `df -h ${shellWord(directory)}`;
    case "EROFS":
      return `findmnt -T ${shellWord(directory)}`;
    default:
      return null;
  }
}
