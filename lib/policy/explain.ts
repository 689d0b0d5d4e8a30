/**
 * A decision as text: the rule, the line of the file, and the command that would change it. Pure.
 *
 * @module
 */
import { type HintCommands } from "../text/hint_commands.ts";
import type { Decision } from "./types.ts";

/** The uid and the configuration that a decision was made for. */
export interface Subject {
  readonly uid: number;
  /** The name of the uid, from the configuration or the name service, or null. */
  readonly name: string | null;
  /** The configuration file, or null for the built-in one. */
  readonly path: string | null;
  /** The commands that could change the decision. */
  readonly commands: HintCommands;
}

/** A decision as text. */
export interface Explanation {
  /** Such as `uid 578 (alice) would be refused: user-denied`. */
  readonly sentence: string;
  /** The rule or reason, such as `user-denied`. */
  readonly rule: string;
  /** `FILE:LINE:COLUMN` of the entry that decided, or null where none did. */
  readonly where: string | null;
  /** What the entry is, such as `user alice`, or null. */
  readonly what: string | null;
  /** The command or edit that would change the decision, or null where none would. */
  readonly change: string | null;
}

/**
 * Explains a decision.
 *
 * @example
 * ```ts
 * const { sentence, where, change } = explain(decision, {
 *   uid: 578,
 *   name: "alice",
 *   path: "/etc/ipcauth/config.yaml",
 *   commands: shellCommands(""),
 * });
 * // sentence: uid 578 (alice) would be refused: user-denied
 * // where: /etc/ipcauth/config.yaml:3:43
 * // change: ipcauth users allow alice
 * ```
 */
export function explain(decision: Decision, subject: Subject): Explanation {
  const rule = decision.allow ? decision.rule : decision.reason;
  const peer = `uid ${subject.uid}${subject.name === null ? "" : ` (${subject.name})`}`;
  const { by } = decision;
  const detail = decision.allow || decision.detail === undefined ? "" : `, ${decision.detail}`;
  return {
    sentence: `${peer} would be ${decision.allow ? "let in" : "refused"}: ${rule}${detail}`,
    rule,
    where: by && subject.path && `${subject.path}:${by.at.line}:${by.at.column}`,
    what: by && by.what,
    change: change(decision, subject),
  };
}

function change(decision: Decision, { uid, name, path, commands }: Subject): string | null {
  if (decision.allow) {
    switch (decision.rule) {
      case "user":
        return commands.deny(name!);
      case "group":
        // An entry of the user takes precedence over every group.
        return commands.add(name, uid, false);
      default:
        return null;
    }
  }
  switch (decision.reason) {
    case "user-denied":
      return commands.allow(name!);
    case "group-denied":
    case "unknown-uid":
      return commands.add(name, uid, true);
    case "not-on-listener":
      return `edit ${path}, line ${decision.by?.at.line}`;
    default:
      return null;
  }
}
