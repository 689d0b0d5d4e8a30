/**
 * The text, hint and exit code of an error, for the command line and for the console. No other file
 * turns errors into text.
 *
 * @module
 */
import { bugText, ExitCode, Failure } from "../errors.ts";
import { escapeForTerminal } from "./escape.ts";
import { paint } from "./paint.ts";

/** What is printed to standard error, and how the process ends. */
export interface Report {
  /** One line, and a second one that begins with `hint:` where there is a next step. */
  readonly text: string;
  readonly exit: ExitCode;
}

/**
 * Reports an error of a command. The first line begins with `ipcauth: error:`, or with `Failed to
 * connect to server`. Messages and hints hold names of the command line, the environment and the
 * file system, so each line of them is escaped.
 *
 * @param error What was thrown. Anything but a {@linkcode Failure} is a bug of this program: its
 * name and message are shown on one line, its stack trace never is.
 * @param color Whether the words `error:` and `hint:` are coloured (ECMA-48, SGR).
 * @example
 * ```ts
 * const failure = new Failure("Cannot read it", { exit: 71, hint: "chmod 600 it" });
 * report(failure, false);
 * // { text: "ipcauth: error: Cannot read it\nhint: chmod 600 it\n", exit: 71 }
 * ```
 */
export function report(error: unknown, color: boolean): Report {
  const failure = asFailure(error);
  // Scripts search for this beginning, so no other word stands before it.
  const prefix = failure.message.startsWith("Failed to connect to server")
    ? ""
    : `ipcauth: ${paint("error:", "red", color)} `;
  return { text: lines(prefix, failure, color), exit: failure.exit };
}

/**
 * Reports the error of one line of the console, after which the session continues. Its message is
 * one line, because it holds text of the server; nothing is coloured.
 *
 * @param failure Its exit code is that of the line.
 * @param isTyped Whether it was typed at the prompt, where no other program prints errors.
 * @example
 * ```ts
 * reportLine(new Failure("no such user", { exit: 65 }), true);
 * // { text: "error: no such user\n", exit: 65 }
 * ```
 */
export function reportLine({ message, hint, exit }: Failure, isTyped: boolean): Report {
  const prefix = isTyped ? "error: " : "ipcauth: error: ";
  return { text: lines(prefix, { lines: [message], hint }, false), exit };
}

/** A failure as it is; any other error as the failure that a bug is, exit code 70. */
function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`an internal error: ${oneLine(bugText(error))}`, {
    exit: ExitCode.software,
    cause: error,
  });
}

function lines(
  prefix: string,
  { lines: messageLines, hint }: Pick<Failure, "lines" | "hint">,
  color: boolean,
) {
  const next = hint === undefined
    ? ""
    : `${paint("hint:", "cyan", color)} ${escapeForTerminal(hint)}\n`;
  return `${prefix}${messageLines.map(escapeForTerminal).join("\n")}\n${next}`;
}

function oneLine(text: string): string {
  return escapeForTerminal(text.replaceAll(/\s+/g, " ").trim());
}
