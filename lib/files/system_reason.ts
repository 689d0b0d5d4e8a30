/**
 * Why an operation on a file failed, for a message.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";

/** Whether an operation failed for want of a right (`EACCES`, `EPERM`). */
export function isDenied(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof SystemError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
}

/** Whether an operation on a file failed, and not a check of this program or a bug. */
export function isOfSystem(error: unknown): boolean {
  if (error instanceof SystemError) return true;
  // Deno names some errors of the system by their `code` alone, such as ENOSPC.
  return error instanceof Error && "code" in error && typeof error.code === "string" ||
    Object.values(Deno.errors).some((kind) => error instanceof kind);
}

/** The reason as the end of a sentence, such as `permission denied`. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof SystemError && error.errno === Errno.ENOENT) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  // Deno refuses its own file functions for what lies below /dev, /proc and /sys.
  if (error instanceof Deno.errors.NotCapable) return "it is not a file on a disk";
  return error instanceof SystemError ? describe(error.errno) : messageOf(error);
}
