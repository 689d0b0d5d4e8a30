/**
 * The views of the console: sessions, listeners, and the configuration in force. Pure.
 *
 * @module
 */
import type { ListenerRecord, SessionRecord } from "../service/console/protocol.ts";
import { escapeForTerminal, escapeLines } from "../text/escape.ts";
import type { TableData } from "../text/table.ts";
import { serviceText, stateText } from "./status_text.ts";

/** Sessions as a table. @param own The number of the caller's session, which is marked. */
export function sessionsData(sessions: readonly SessionRecord[], own: number): TableData {
  return {
    head: [
      "",
      "SESSION",
      "USER",
      "UID",
      "PID",
      "FROM",
      "LISTENER",
      "SERVICE",
      "IN",
      "OUT",
      "SINCE",
    ],
    rows: sessions.map((one) =>
      [
        one.id === own ? "*" : "",
        ...[one.id, one.user, one.uid, one.pid ?? "-", one.from, one.listener, one.service],
        ...[one.bytes_in ?? "-", one.bytes_out ?? "-", one.since],
      ].map((cell) => escapeForTerminal(String(cell)))
    ),
  };
}

/** Listeners as a table. */
export function listenersData(listeners: readonly ListenerRecord[]): TableData {
  return {
    head: ["LISTENER", "SERVICE", "ALLOW", "STATE"],
    rows: listeners.map((one) =>
      [one.listener, serviceText(one), one.allow?.join(",") ?? "-", stateText(one)]
        .map(escapeForTerminal)
    ),
  };
}

/**
 * The configuration in force as a file that says the same, behind comments about the file on disk.
 *
 * @param config The answer of `config.show`.
 * @returns Null where the server is older, and answers no text.
 */
export function runningConfigText(config: unknown): string | null {
  if (typeof config !== "object" || config === null) return null;
  const { path, problem, text } = config as Record<string, unknown>;
  if (typeof text !== "string") return null;
  const name = typeof path === "string" ? path : "there is no configuration file";
  return `${comment(`${name}; in force, with every default`)}${problemText(problem)}` +
    escapeLines(text);
}

/** What is wrong with the file on disk, as comments. */
function problemText(problem: unknown): string {
  if (typeof problem !== "object" || problem === null) return "";
  const { since, message } = problem as Record<string, unknown>;
  return comment(`the file on disk is bad since ${since}, and not in force:`) +
    String(message).split("\n").map(comment).join("");
}

function comment(text: string): string {
  return `# ${escapeForTerminal(text)}\n`;
}
