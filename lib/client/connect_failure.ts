/**
 * The failure to open a session. Its message always begins with the same words, for scripts.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { describe, SystemError } from "../libc/errno.ts";

/** The beginning of every message of this kind; a part of the program's contract. */
const PREFIX = "Failed to connect to server";

/**
 * The failure of a client that got no session.
 *
 * @param why What went wrong, and where; without a full stop. Several problems have a line each.
 * @param exit The exit code of the process.
 * @param hint The command or edit that would help, if there is one.
 * @param cause The error underneath, never shown to a user.
 */
export function connectFailure(
  why: string | readonly string[],
  exit: ExitCode,
  hint?: string,
  cause?: unknown,
): Failure {
  const [first, ...others] = typeof why === "string" ? [why] : why;
  return new Failure([`${PREFIX}: ${first}`, ...others], { exit, hint, cause });
}

/** A Unix server has closed a connection before it sent a byte. */
export class NoDataError extends Error {
  /** Its path. */
  readonly where: string;

  constructor(where: string) {
    super(`${where} has closed without sending data`);
    this.where = where;
  }
}

/**
 * The failure of a client of a Unix socket that got not one byte: it was refused, or the service
 * has ended.
 *
 * @returns Its cause is a {@linkcode NoDataError}.
 */
export function noDataFailure(where: string, uid: number): Failure {
  const cause = new NoDataError(where);
  return connectFailure(
    `${cause.message}: uid ${uid} has no access, or the service has ended or cannot be reached`,
    ExitCode.refused,
    `ipcauth users check ${uid}, run by the server's administrator, says whether it has access`,
    cause,
  );
}

/**
 * Runs a step that comes before the session. Every {@linkcode Failure} of it, and of a system call,
 * is a failure to connect.
 *
 * @throws {Failure} The step's own failure with its exit code and hint, and the common beginning;
 * 71 where the system refuses, as without free descriptors.
 */
export async function beforeSession<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof SystemError) {
      throw connectFailure(describe(error.errno), ExitCode.os, undefined, error);
    }
    if (!(error instanceof Failure) || error.message.startsWith(PREFIX)) throw error;
    throw connectFailure(error.lines, error.exit, error.hint, error);
  }
}
