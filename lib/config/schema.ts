/**
 * The configuration: pure, text → {@linkcode Config}, or every problem with its line and key.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { AccessTable } from "../policy/types.ts";
import { shellWord } from "../text/shell_word.ts";
import { readDirectory } from "./directory.ts";
import { type Problem, Problems, readDocument, type Value } from "./document.ts";
import { withoutForeignContent } from "./foreign_file.ts";
import { readGroups } from "./groups.ts";
import { readLimits, readWorkers } from "./limits.ts";
import { readListeners } from "./listeners.ts";
import { readLog } from "./log.ts";
import type { ReservedId } from "./names.ts";
import { MAX_PARSED_LENGTH, placeFinder } from "./places.ts";
import { UncertainError } from "./quoting.ts";
import { Reader } from "./reader.ts";
import { readSandbox } from "./sandbox.ts";
import type { Config } from "./types.ts";
import { readUsers } from "./users.ts";
import { readValues, requireCertain } from "./values.ts";

/** The keys of the whole file. */
export const ROOT_KEYS = [
  ...["listeners", "users", "groups"] as const,
  ...["limits", "log", "workers", "directory", "sandbox"] as const,
] as const;

/** How many problems are reported at once. */
const MAX_REPORTED_PROBLEMS = 20;

/** The largest configuration, in bytes. It bounds the time that a reload may take. */
export const MAX_CONFIG_BYTES = 64 << 20;

/**
 * Parses a configuration. It is accepted whole or not at all. An empty document is none: a file is
 * empty while it is being written, and its meaning would be a console at the default path.
 *
 * @param text The content of the file; a byte order mark at its beginning is skipped.
 * @param path The file's name in messages.
 * @param reserved The overflow uid.
 * @param mayBeEmpty Whether an empty document says nothing instead, as for an edit that is about to
 * fill it.
 * @throws {Failure} 78, one line a problem: `path:line:column: key: what`.
 * @example
 * ```ts
 * const reserved = { overflowUid: 65534 };
 * const config = parseConfig("users: [{ name: bob, uid: 579 }]", "/etc/c.yaml", reserved);
 * config.access.usersByName.get("bob")?.uid; // 579
 * parseConfig("user: []", "/etc/c.yaml", reserved);
 * // throws Failure: /etc/c.yaml:1:1: user: there is no key "user" here; did you mean "users"?
 * ```
 */
export function parseConfig(
  text: string,
  path: string,
  reserved: ReservedId,
  mayBeEmpty: boolean = false,
): Config {
  const { config, problems } = inspectConfig(text, path, reserved, mayBeEmpty);
  if (problems.length > 0) throw badConfig(path, problems, MAX_REPORTED_PROBLEMS);
  return config;
}

/**
 * Parses a configuration that may be bad.
 *
 * @returns What could be read of it, and every problem in the order of the text. With a problem it
 * is no configuration to decide by.
 */
export function inspectConfig(
  text: string,
  path: string,
  reserved: ReservedId,
  mayBeEmpty: boolean = false,
): { readonly config: Config; readonly problems: readonly Problem[] } {
  const problems = new Problems();
  const root = { at: { line: 1, column: 1 }, key: "" };
  const tooLarge = text.length > MAX_CONFIG_BYTES;
  if (tooLarge) problems.add(root, `the file is larger than ${MAX_CONFIG_BYTES >> 20} MiB`);
  else refuseControls(text, problems);
  const content = text.replace(/^\ufeff/, "");
  if (problems.all.length === 0) {
    const quick = quickConfig(content, path, reserved);
    if (quick !== null) return { config: quick, problems: [] };
  }
  const document = problems.all.length > 0
    ? null
    : content.length > MAX_PARSED_LENGTH
    ? readLong(content, problems)
    : readDocument(content, problems);
  if (document === null && problems.all.length === 0 && !mayBeEmpty) {
    problems.add(
      root,
      "the file is empty, and an empty document is no configuration",
      `echo 'users: []' >> ${shellWord(path)}`,
    );
  }
  const config = build(document, path, reserved, new Reader(problems));
  if (problems.all.length === 0) return { config, problems: [] };
  return {
    config,
    problems: inOrder(withoutForeignContent(content, problems.all, ROOT_KEYS)),
  };
}

/**
 * Reads a text that has a problem, or may have, and is too long for the parser that says what it
 * is.
 */
function readLong(text: string, problems: Problems): Value | null {
  try {
    const document = readValues(text, placeFinder(text), problems);
    if (document !== null) requireCertain(document);
    if (document !== null || problems.all.length > 0) return document;
  } catch (error) {
    if (!(error instanceof UncertainError)) throw error;
  }
  problems.add(
    { at: { line: 1, column: 1 }, key: "" },
    `a file of more than ${MAX_PARSED_LENGTH >> 20} MiB has no empty values, escapes, block ` +
      "scalars, tags, tabs before a value or other YAML than plain lists and mappings",
    "write each user in a line of its own: - { name: NAME, uid: N }",
  );
  return null;
}

/**
 * A configuration by the quick reader. Its places are found when they are asked for.
 *
 * @returns Null where it has a problem, or may have: the other reader says what and where.
 */
function quickConfig(text: string, path: string, reserved: ReservedId): Config | null {
  const document = readValues(text, placeFinder(text));
  if (document === null) return null;
  const problems = new Problems();
  try {
    const config = build(document, path, reserved, new Reader(problems));
    return problems.all.length === 0 ? config : null;
  } catch (error) {
    if (error instanceof UncertainError) return null;
    throw error;
  }
}

/**
 * Reports control characters. YAML excludes them but its parser accepts some, and a terminal that
 * shows the file would execute them.
 */
function refuseControls(text: string, problems: Problems): void {
  // deno-lint-ignore no-control-regex -- that is what is searched for
  if (!/[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!\n)/.test(text)) return;
  const lines = text.replace(/^\ufeff/, "").split("\n");
  for (const [index, line] of lines.entries()) {
    // deno-lint-ignore no-control-regex -- that is what is searched for
    const column = line.search(/[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!$)/);
    if (column < 0) continue;
    const place = { at: { line: index + 1, column: column + 1 }, key: "" };
    problems.add(place, "there is a control character: this is not a text");
  }
}

function build(
  document: Value | null,
  path: string,
  reserved: ReservedId,
  reader: Reader,
): Config {
  const fields = document === null ? null : reader.fields(document, ROOT_KEYS);
  const get = (name: typeof ROOT_KEYS[number]): Value | null => fields?.get(name) ?? null;
  reader.hasUnreadUsers = fields?.isPartial === true;
  const users = readUsers(get("users"), reserved, reader);
  const access: AccessTable = {
    users,
    usersByUid: new Map(users.map((user) => [user.uid, user])),
    usersByName: new Map(users.map((user) => [user.name, user])),
    groups: readGroups(get("groups"), reader),
  };
  const listeners = readListeners(get("listeners"), access, reader);
  return {
    path,
    listeners,
    access,
    namedGroups: [...reader.namedGroups.values()],
    namedAccounts: [...reader.namedAccounts.values()],
    limits: readLimits(get("limits"), reader),
    log: readLog(get("log"), reader),
    directory: readDirectory(get("directory"), reader),
    workers: readWorkers(get("workers"), reader),
    sandbox: readSandbox(get("sandbox"), listeners, reader),
  };
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((one, other) =>
    one.at.line - other.at.line || one.at.column - other.at.column
  );
}

/**
 * The failure of a bad configuration, a line for each problem.
 *
 * @param problems At least one.
 * @param max How many of them have a line.
 * @param cause The error of the system that is the reason, if there is one.
 */
export function badConfig(
  path: string,
  problems: readonly Problem[],
  max: number = Infinity,
  cause?: unknown,
): Failure {
  const lines = problems.slice(0, max).map(({ at, key, what }) =>
    `${path}:${at.line}:${at.column}: ${key === "" ? "" : `${key}: `}${what}`
  );
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  return new Failure(lines, {
    exit: ExitCode.config,
    hint: problems.find(({ hint }) => hint !== undefined)?.hint ??
      `correct ${path}, line ${problems[0]!.at.line}`,
    cause,
  });
}
