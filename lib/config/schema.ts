/**
 * The configuration: pure, text → {@linkcode Config}, or every problem with its line and key.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { type Problem, Problems, readDocument, type Value } from "./document.ts";
import { readListeners } from "./listeners.ts";
import { type NameLookup, readAccessTable } from "./users.ts";
import { Reader } from "./reader.ts";
import { type Config, DEFAULT_LIMITS, DEFAULT_LOG, type Limits, type LogConfig } from "./types.ts";

export type { NameLookup } from "./users.ts";

/** How many problems are told at once. */
const TOLD = 20;
/** In bytes: larger than any configuration somebody wrote; reading more would only stop the server. */
export const MAX_CONFIG_BYTES = 4 << 20;

/**
 * Reads a configuration.
 *
 * @param text The file.
 * @param path How the file is named in messages.
 * @param machine What has to be known of the names.
 * @throws {Failure} 78, one line a problem: `path:line:column: key: what`.
 */
export function parseConfig(text: string, path: string, names: NameLookup): Config {
  const problems = new Problems();
  const root = { at: { line: 1, column: 1 }, key: "" };
  if (text.length > MAX_CONFIG_BYTES) problems.add(root, "the file is larger than 4 MiB");
  else refuseControls(text, problems);
  const document = problems.all.length > 0
    ? null
    : readDocument(text.replace(/^\ufeff/, ""), problems);
  const config = build(document, path, names, new Reader(problems));
  if (problems.all.length > 0) throw badConfig(path, problems.all);
  return config;
}

/** YAML knows no control characters, its parser is more patient, and a terminal obeys them. */
function refuseControls(text: string, problems: Problems): void {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  for (const [index, line] of lines.entries()) {
    // deno-lint-ignore no-control-regex -- that is what is looked for
    const column = line.search(/[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\r(?!$)/);
    if (column < 0) continue;
    const place = { at: { line: index + 1, column: column + 1 }, key: "" };
    problems.add(place, "there is a control character: this is not a text");
  }
}

function build(document: Value | null, path: string, names: NameLookup, reader: Reader): Config {
  const known = ["listeners", "users", "groups", "limits", "log"];
  const fields = document === null ? null : reader.fields(document, known);
  const get = (name: string): Value | null => fields?.get(name) ?? null;
  const access = readAccessTable(get("users"), get("groups"), names, reader);
  return {
    path,
    listeners: readListeners(get("listeners"), access, names, reader),
    access,
    limits: readLimits(get("limits"), reader),
    log: readLog(get("log"), reader),
  };
}

function readLimits(value: Value | null, reader: Reader): Limits {
  const counts = {
    max_connections: "maxConnections",
    max_connections_per_user: "maxConnectionsPerUser",
    max_pending_handshakes: "maxPendingHandshakes",
  } as const;
  const times = {
    handshake_timeout: "handshakeTimeout",
    idle_timeout: "idleTimeout",
    grace: "grace",
  } as const;
  const fields = value && reader.fields(value, [...Object.keys(counts), ...Object.keys(times)]);
  const limits: { -readonly [name in keyof Limits]: number } = { ...DEFAULT_LIMITS };
  for (const [name, field] of Object.entries(counts)) {
    const count = fields?.get(name);
    if (count) limits[field] = reader.count(count, 1, 1_000_000) ?? limits[field];
  }
  for (const [name, field] of Object.entries(times)) {
    const time = fields?.get(name);
    if (time) limits[field] = reader.duration(time) ?? limits[field];
  }
  const handshake = fields?.get("handshake_timeout");
  if (handshake && limits.handshakeTimeout === 0) {
    reader.refuse(handshake, "a handshake without an end would hold its place for ever");
  }
  return limits;
}

function readLog(value: Value | null, reader: Reader): LogConfig {
  const fields = value && reader.fields(value, ["level", "format", "file"]);
  const file = fields?.get("file");
  const level = fields?.get("level");
  const format = fields?.get("format");
  return {
    level: (level && reader.choice(level, ["debug", "info", "warn", "error"])) ??
      DEFAULT_LOG.level,
    format: (format && reader.choice(format, ["text", "json"])) ?? DEFAULT_LOG.format,
    file: (file && readLogFile(file, reader)) ?? DEFAULT_LOG.file,
  };
}

function readLogFile(value: Value, reader: Reader): string | null {
  const path = reader.text(value, value, "the log file");
  if (path === null || path.startsWith("/") && !path.endsWith("/")) return path;
  return reader.refuse(value, `the log file ${path} is not the path of a file that begins with /`);
}

function badConfig(path: string, problems: readonly Problem[]): Failure {
  const inOrder = problems.toSorted((one, other) =>
    one.at.line - other.at.line || one.at.column - other.at.column
  );
  const lines = inOrder.slice(0, TOLD).map(({ at, key, what }) =>
    `${path}:${at.line}:${at.column}: ${key === "" ? "" : `${key}: `}${what}`
  );
  const more = problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  return new Failure(lines.join("\n"), {
    exit: ExitCode.config,
    hint: inOrder.find(({ hint }) => hint !== undefined)?.hint ??
      `correct ${path}, line ${inOrder[0]!.at.line}`,
  });
}
