/**
 * A question that a command asks before it does what it was told.
 *
 * @module
 */
import type { Answer } from "./answer.ts";
import { type Grammar, makeGrammar } from "./grammar.ts";

/** The answers to a question. */
export const QUESTION_GRAMMAR: Grammar = makeGrammar([
  { pattern: "yes", kind: "yes", help: "do it" },
  { pattern: "no", kind: "no", help: "change nothing" },
], {});

/** Thrown by a command. At a prompt it is asked; in a script the line fails. */
export class Question extends Error {
  override readonly name = "Question";
  /** What a script has to write instead. */
  readonly hint: string;
  /** Does it. */
  readonly onYes: () => Promise<Answer>;

  /**
   * @param message What would happen: one sentence without a full stop.
   * @param hint What a script has to write instead.
   * @param onYes Does it.
   */
  constructor(message: string, hint: string, onYes: () => Promise<Answer>) {
    super(message);
    this.hint = hint;
    this.onYes = onYes;
  }
}
