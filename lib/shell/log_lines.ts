/**
 * `show log` and `monitor`: the log of the server, as it is and as it goes on.
 *
 * @module
 */
import { asLogResult } from "../client/answers.ts";
import type { MethodCall } from "./shell_connection.ts";
import { terminalLine } from "../log/terminal_line.ts";
import type { ConsoleCommand } from "./grammar.ts";
import { ParseError } from "./parse.ts";

/** What prints the lines of `monitor`. */
export interface FollowOptions {
  readonly out: (text: string) => void;
  readonly color: boolean;
  /** Aborted to stop it. */
  readonly stopped: AbortSignal;
}

/** How often the server is asked for lines that are new, in milliseconds. */
const INTERVAL_MS = 250;

/** The words of `show log` and `monitor` as parameters of `log.list`. @throws {ParseError} */
export function logParams({ user, denied, count }: ConsoleCommand["words"]) {
  if (count !== undefined && !/^[1-9][0-9]{0,8}$/.test(count)) {
    throw new ParseError(`"${count}" is not a number of lines`);
  }
  return {
    ...user === undefined ? {} : { user },
    ...denied === undefined ? {} : { denied: true },
    ...count === undefined ? {} : { last: Number(count) },
  };
}

/** Lines of the log as text. */
export function logText(lines: readonly Readonly<Record<string, unknown>>[], color: boolean) {
  return lines.map((line) => `${terminalLine(line, color)}\n`).join("");
}

/** What stands in the place of lines that are kept no more. */
function droppedText(count: number): string {
  const lines = count === 1 ? "1 line is" : `${count} lines are`;
  return `${lines} not shown here: the server keeps the last ones only\n`;
}

/**
 * Prints what the server logs from now on, until it is told to stop. The server keeps the lines
 * that a slow reader has not asked for, as far as its memory of them reaches, and counts the rest.
 *
 * @throws {RpcServerError | Failure} As `RpcClient.call`.
 */
export async function followLog(
  client: MethodCall,
  params: Readonly<Record<string, unknown>>,
  { out, color, stopped }: FollowOptions,
): Promise<void> {
  let { next } = asLogResult(await client.call("log.list", { last: 1 }));
  while (!stopped.aborted) {
    await delay(INTERVAL_MS, stopped);
    if (stopped.aborted) return;
    const found = asLogResult(await client.call("log.list", { ...params, after: next }));
    if (stopped.aborted) return;
    const dropped = found.dropped === 0 ? "" : droppedText(found.dropped);
    const text = dropped + logText(found.lines, color);
    if (text !== "") out(text);
    next = found.next;
  }
}

/** Settles after a time, or when it is aborted. */
function delay(milliseconds: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stopped.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    stopped.addEventListener("abort", end);
  });
}
