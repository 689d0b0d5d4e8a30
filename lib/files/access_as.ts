/**
 * What a file is to another user: tried by the kernel's own rules, with that user's identity.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { SystemError } from "../libc/errno.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { ThreadImpersonation } from "../libc/thread_impersonation.ts";

/**
 * Tries something with the identity of a user, on this thread alone.
 *
 * @param attempt Such as opening a file; returns 0 or an error number.
 * @returns The same.
 * @throws {Failure} 71 when this process may not become another user.
 */
export function tryAs(identity: ProcessIdentity, attempt: () => number): number {
  let thread: ThreadImpersonation;
  try {
    thread = new ThreadImpersonation();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Failure(`Cannot give root up: ${error.message}`, { exit: ExitCode.os, cause: error });
  }
  return thread.run(identity, attempt);
}
