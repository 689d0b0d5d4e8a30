/**
 * Why a client did not get in, in words that begin the same way every time.
 *
 * @module
 */
import { type ExitCode, Failure } from "../errors.ts";

/** What scripts look for. */
const PREFIX = "Failed to connect to server";

/**
 * A client that did not get in.
 *
 * @param why What went wrong, and where.
 * @param exit How the process should end.
 * @param hint The next step.
 */
export function connectFailure(
  why: string,
  exit: ExitCode,
  hint?: string,
  cause?: unknown,
): Failure {
  return new Failure(`${PREFIX}: ${why}`, { exit, hint, cause });
}

/** Any failure on the way to a session, in the same words. */
export function asConnectFailure(failure: Failure): Failure {
  if (failure.message.startsWith(PREFIX)) return failure;
  return connectFailure(failure.message, failure.exit, failure.hint, failure);
}
