/**
 * Answers as text for people: pure. What comes from the server is made harmless for a terminal first.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import type {
  AccessRecord,
  SessionRecord,
  UserRecord,
  Welcome,
} from "../service/console/protocol.ts";
import { unexpectedAnswer } from "./answers.ts";
import { RULES } from "./grammar.ts";
import { table } from "../text/table.ts";

/** How many levels a tree has at most. No server of ours has more than a few. */
const MAX_TREE_DEPTH = 32;

/** The line that says who came in, from where, and where to. */
export function renderBanner({ user, from, host }: Welcome): string {
  return escapeForTerminal(`${user} connected from ${from} using console on ${host}`) + "\n";
}

/** The prompt. */
export function renderPrompt({ user }: Pick<Welcome, "user">): string {
  return `${escapeForTerminal(user)}@ipcauth# `;
}

/** Users as lines of a configuration. */
export function renderRunningConfig(users: readonly UserRecord[]): string {
  return users.map(({ name, ...leaves }) => {
    const lines = Object.entries(leaves)
      .filter(([, value]) => value !== null)
      .map(([leaf, value]) => ` ${leaf} ${value}\n`);
    return `aaa authentication users user ${escapeForTerminal(name)}\n${lines.join("")}!\n`;
  }).join("");
}

/** Sessions as a table; our own is marked. */
export function renderSessions(sessions: readonly SessionRecord[], own: number): string {
  return table(
    ["", "SESSION", "USER", "UID", "PID", "FROM", "SERVICE", "SINCE"],
    sessions.map(({ id, user, uid, pid, from, service, since }) =>
      [id === own ? "*" : "", id, user, uid, pid ?? "-", from, service, since]
        .map((cell) => escapeForTerminal(String(cell)))
    ),
  );
}

/** Whether somebody would be let in, and why. */
export function renderAccess({ uid, user, allow, rule, where, change }: AccessRecord): string {
  const lines = [
    `uid ${uid}${user === null ? "" : ` (${user})`} would be ${
      allow ? "let in" : "refused"
    }: ${rule}`,
    ...where === null ? [] : [`  decided by ${where}`],
    ...change === null ? [] : [`  to change it: ${change}`],
  ];
  return lines.map((line) => escapeForTerminal(line) + "\n").join("");
}

/** A nested answer, one leaf a line under the path to it. */
export function renderTree(value: unknown, path = "", depth = 0): string {
  if (depth > MAX_TREE_DEPTH) throw unexpectedAnswer();
  if (Array.isArray(value)) {
    return value.map((item, index) => renderTree(item, `${path}[${index}]`, depth + 1)).join("");
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => renderTree(item, path === "" ? name : `${path}.${name}`, depth + 1))
      .join("");
  }
  return `${escapeForTerminal(path)} ${escapeForTerminal(value === null ? "-" : String(value))}\n`;
}

/** The list of commands, or those that begin with a word. */
export function renderHelp(topic: string | undefined): string {
  const rules = RULES.filter(({ pattern, help }) =>
    help !== undefined && (topic === undefined || pattern.startsWith(topic))
  );
  if (rules.length === 0) return `There is no command "${escapeForTerminal(topic ?? "")}"\n`;
  const spelled = rules.map(({ pattern, help }) =>
    [pattern.replaceAll(/<(\w+):\w+>/g, "<$1>"), help!] as const
  );
  const width = Math.max(
    ...spelled.map(([pattern]) => pattern.length).filter((size) => size <= 34),
  );
  return spelled.map(([pattern, help]) =>
    pattern.length > width
      ? `${pattern}\n${" ".repeat(width)}  ${help}\n`
      : `${pattern.padEnd(width)}  ${help}\n`
  ).join("");
}
