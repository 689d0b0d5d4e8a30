/**
 * A decision in words: by which rule, at which line, and what would change it. Pure.
 *
 * @module
 */
import { shellWord } from "../text/shell_word.ts";
import type { Decision } from "./types.ts";

/** Whom and what the explanation is about. */
export interface Subject {
  readonly uid: number;
  /** The name of the uid, configured or of the name service, or null. */
  readonly name: string | null;
  /** The configuration file, or null for the built-in one. */
  readonly path: string | null;
  /** What commands need to reach the same configuration, such as ` --config FILE`; may be empty. */
  readonly flags: string;
}

/** A decision in words. */
export interface Explanation {
  /** Such as `uid 578 (alice) would be refused: user-denied`. */
  readonly sentence: string;
  readonly rule: string;
  /** `FILE:LINE:COLUMN`, or null where no line decided. */
  readonly where: string | null;
  /** What the line is about, such as `user alice`. */
  readonly what: string | null;
  /** The command that would change it, or null where none would. */
  readonly change: string | null;
}

/** Explains a decision. */
export function explain(decision: Decision, subject: Subject): Explanation {
  const rule = decision.allow ? decision.rule : decision.reason;
  const who = `uid ${subject.uid}${subject.name === null ? "" : ` (${subject.name})`}`;
  const { by } = decision;
  return {
    sentence: `${who} would be ${decision.allow ? "let in" : "refused"}: ${rule}`,
    rule,
    where: by && subject.path && `${subject.path}:${by.at.line}:${by.at.column}`,
    what: by && by.what,
    change: change(decision, subject),
  };
}

function change(decision: Decision, { uid, name, path, flags }: Subject): string | null {
  const word = name === null ? "NAME" : shellWord(name);
  const newcomer = `${word} --uid ${uid}`;
  if (decision.allow) {
    switch (decision.rule) {
      case "user":
        return `ipcauth users deny ${word}${flags}`;
      case "group":
        // A user's own entry comes before every group.
        return `ipcauth users add ${newcomer}${flags}`;
      default:
        return null;
    }
  }
  switch (decision.reason) {
    case "user-denied":
      return `ipcauth users allow ${word}${flags}`;
    case "group-denied":
    case "unknown-uid":
      return `ipcauth users add ${newcomer} --local-ipc-access${flags}`;
    case "not-on-listener":
      return `edit ${path}, line ${decision.by?.at.line}`;
    default:
      return null;
  }
}
