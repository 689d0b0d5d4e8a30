/**
 * What a command of the console answers: a text or a table to read, and a value for programs.
 *
 * @module
 */
import { type TableData, tableText } from "../text/table.ts";
import type { View } from "../text/view.ts";

/** The answer of a command. */
export interface Answer {
  /** What `| json` prints. */
  readonly value: unknown;
  /**
   * What is printed: a table, whose rows are those of `value` where that is an array; or text, each
   * line with its newline, whose strings of the server are escaped for the terminal.
   */
  readonly content: TableData | ((view: View) => string);
}

/** An answer that is the same text on every terminal. */
export function textAnswer(value: unknown, text: string): Answer {
  return { value, content: () => text };
}

/** The text of an answer. */
export function answerText({ content }: Answer, view: View): string {
  return typeof content === "function" ? content(view) : tableText(content, view);
}
