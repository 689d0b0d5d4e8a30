/**
 * Standard input as lines, where it is no terminal.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import type { Failure } from "../errors.ts";
import { closeWhenLost } from "./close_when_lost.ts";
import { isBlankOrComment } from "./parse.ts";

/**
 * Runs the lines of standard input.
 *
 * @param lost Resolves when the server has closed the session.
 * @param run Runs a line. @returns Whether it ends the session.
 * @throws {Failure} 69 when the server closes the session.
 */
export async function runPipedLines(
  lost: Promise<Failure>,
  run: (line: string) => Promise<boolean>,
): Promise<void> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  const state = closeWhenLost(lines, lost);
  for await (const line of lines) {
    if (isBlankOrComment(line)) continue;
    if (await run(line)) break;
  }
  lines.close();
  if (state.failure !== null) throw state.failure;
}
