/**
 * Answers as text for a terminal: pure. Text of the server is escaped for the terminal first.
 *
 * @module
 */
import { escapeForTerminal } from "../text/escape.ts";
import type { UserRecord, Welcome } from "../service/console/protocol.ts";
import { wrapWords } from "../text/cell_width.ts";
import { PLAIN, type View } from "../text/view.ts";
import { unexpectedAnswer } from "../client/answers.ts";
import { FILTERS } from "./filter.ts";
import type { Grammar } from "./grammar.ts";

/** The widest command, in columns, that shares a line with its help. */
const MAX_PATTERN_WIDTH = 34;
/** The deepest nesting that is rendered, in levels. An answer of ipcauth has at most four. */
const MAX_TREE_DEPTH = 32;

/** The first line of a session: the user, the peer's address and the server's host. */
export function renderBanner({ user, from, host }: Welcome): string {
  return escapeForTerminal(`${user} connected from ${from} using console on ${host}`) + "\n";
}

/** The prompt, with a blank at its end. @param mode Such as `(config)`. */
export function renderPrompt({ user }: Pick<Welcome, "user">, mode = ""): string {
  return `${escapeForTerminal(user)}@ipcauth${mode}# `;
}

/** Users as lines of a network device's configuration; a gid that is left out has no line. */
export function renderRunningConfig(users: readonly UserRecord[]): string {
  return users.map(({ name, ...fields }) => {
    const lines = Object.entries(fields)
      .filter(([, value]) => value !== null)
      .map(([field, value]) => ` ${field} ${value}\n`);
    return `aaa authentication users user ${escapeForTerminal(name)}\n${lines.join("")}!\n`;
  }).join("");
}

/**
 * A nested answer, a leaf a line: its path, such as `limits.grace` or `listeners[0].unix`, and its
 * value.
 *
 * @throws {Failure} 65 when it is nested deeper than {@linkcode MAX_TREE_DEPTH}.
 */
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

/** A line of the help: a command, and what it does. */
interface HelpRow {
  readonly command: string;
  readonly help: string;
}

/** The commands. @param topic Only those that begin with this text; `|` means the filters. */
export function helpRows(topic: string | undefined, { rules }: Grammar): readonly HelpRow[] {
  const commands = rules.filter(({ help }) => help !== undefined)
    .map(({ pattern, help }) => ({ command: spell(pattern), help: help! }));
  const filters = FILTERS.map(({ name, takesPattern, help }) => ({
    command: takesPattern ? `| ${name} <pattern>` : `| ${name}`,
    help,
  }));
  return [...commands, ...filters]
    .filter(({ command }) => topic === undefined || command.startsWith(topic));
}

/** The list of commands as text. */
export function renderHelp(
  topic: string | undefined,
  grammar: Grammar,
  { columns }: View = PLAIN,
): string {
  const rows = helpRows(topic, grammar);
  if (rows.length === 0) return `There is no command "${escapeForTerminal(topic ?? "")}"\n`;
  const width = Math.max(
    ...rows.map(({ command }) => command.length).filter((size) => size <= MAX_PATTERN_WIDTH),
  );
  const isNarrow = columns !== null && columns < 2 * width;
  const indent = " ".repeat(isNarrow ? 4 : width + 2);
  return rows.map(({ command, help }) => {
    // Where the help would have no space, it stands below.
    const lines = isNarrow || command.length > width
      ? [command, indent + help]
      : [`${command.padEnd(width)}  ${help}`];
    return lines.map((line) => wrapWords(line, columns, indent) + "\n").join("");
  }).join("");
}

/** A pattern of the grammar as help prints it. */
function spell(pattern: string): string {
  return pattern.replaceAll(/<(\w+):\w+>/g, "<$1>");
}
