/**
 * Where an error becomes text, hint and exit code: here, and nowhere else.
 *
 * @module
 */
import { escapeForTerminal } from "./escape.ts";
import { ExitCode, Failure } from "../errors.ts";

/** What is printed, and how the process ends. */
export interface Report {
  readonly text: string;
  readonly exit: ExitCode;
}

/**
 * Reports an error.
 *
 * @param error Whatever was thrown.
 * @param color Whether the words `error:` and `hint:` may be coloured.
 */
export function report(error: unknown, color: boolean): Report {
  if (error instanceof Failure) {
    const hint = error.hint === undefined ? "" : `${paint("hint:", 36, color)} ${error.hint}\n`;
    return { text: `${headline(error.message, color)}\n${hint}`, exit: error.exit };
  }
  // Not a sentence anybody prepared: a bug. The stack is for us, and never reaches a user.
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    text: `${headline(`an internal error: ${oneLine(message)}`, color)}\n`,
    exit: ExitCode.software,
  };
}

function headline(message: string, color: boolean): string {
  // Scripts look for this line's own beginning.
  if (message.startsWith("Failed to connect to server")) return message;
  return `ipcauth: ${paint("error:", 31, color)} ${message}`;
}

function paint(text: string, code: number, color: boolean): string {
  return color ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function oneLine(text: string): string {
  return escapeForTerminal(text.replaceAll(/\s+/g, " ").trim());
}
