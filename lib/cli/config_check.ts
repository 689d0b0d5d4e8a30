/**
 * Everything that is wrong with a configuration, as a server would find it, without starting one.
 *
 * @module
 */
import { requireSameReading } from "../config/both_readers.ts";
import type { Problem } from "../config/document.ts";
import { BUILT_IN, type ConfigFile, keyFileProblems } from "../config/load.ts";
import { inspectConfig } from "../config/schema.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { namesOfFile } from "../dataplane/names_in_use.ts";
import { ExitCode, Failure } from "../errors.ts";
import { keyConflict } from "../keys/key_conflict.ts";
import { listKeyDirectory } from "../keys/key_directory.ts";
import { readKeyFile } from "../keys/key_reader.ts";
import { lookUp } from "../names/lookup.ts";
import { absenceOf } from "../names/name_service.ts";
import { type ListedKey, listListenerKeys } from "../keys/listed_key.ts";
import type { HostFacts } from "../policy/types.ts";
import { nameWarning } from "../server/find_names.ts";
import { namedUid, requireProgram } from "../service/exec/program_check.ts";

/** A configuration, and what is wrong with it in the order of the checks. */
interface CheckedConfig {
  readonly config: Config;
  readonly problems: readonly Problem[];
  /** Bad files in directories of keys: they admit no one, and keep no server from starting. */
  readonly keyProblems: readonly Problem[];
  /** What else keeps no server from starting, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Checks a configuration as the start of a server does: its text; then the key files it names, with
 * their content, and the groups and accounts that the name service should know.
 *
 * @param file The file; null for the built-in configuration, which has no problem.
 * @param hostFacts The uids of the server that the file is for.
 */
export function checkConfigText(file: ConfigFile | null, hostFacts: HostFacts): CheckedConfig {
  if (file === null) return { config: BUILT_IN, problems: [], keyProblems: [], warnings: [] };
  const { config, problems } = inspectConfig(file.text, file.path, hostFacts);
  // Of a bad text, neither its keys nor its names are known for certain.
  if (problems.length > 0) return { config, problems, keyProblems: [], warnings: [] };
  requireSameReading(file.text, file.path, null);
  const files = [...keyFileProblems(config, hostFacts)].map(({ cause: _cause, ...one }) => one);
  const unlisted = files.length > 0 ? [] : unlistedDirectories(config, hostFacts);
  const isListed = files.length + unlisted.length === 0;
  return {
    config,
    problems: [
      ...files,
      ...unlisted,
      ...keyContentProblems(config, hostFacts, files),
    ],
    keyProblems: isListed ? directoryProblems(config, hostFacts) : [],
    warnings: nameWarnings(config),
  };
}

/**
 * Programs that the file names and a server could not offer: it would not start, and a running one
 * would suspend their listeners. The file may be for another machine.
 *
 * @param hostFacts The uids of the server that the file is for.
 * @returns A line each.
 */
export function programWarnings(config: Config, { serverUid }: HostFacts): string[] {
  return (config.listeners ?? []).flatMap(({ service, at: { line, column } }, index) => {
    if (service.kind !== "exec") return [];
    const { argv: [path], runAs } = service;
    try {
      if (path !== undefined) requireProgram(path, namedUid(runAs, config) ?? serverUid);
      return [];
    } catch (error) {
      const { what } = problemOf(error);
      return [`${config.path}:${line}:${column}: listeners[${index}].service.exec: ${what}`];
    }
  });
}

/** The groups and accounts that the file names and this machine does not know. */
function nameWarnings(config: Config): string[] {
  return namesOfFile(config).flatMap((request) => {
    const missing = absenceOf(lookUp(request));
    return missing === null ? [] : [nameWarning({ request, ...missing }, config)];
  });
}

/**
 * Keys that cannot be read, and keys that two entries of a listener grant in different ways.
 *
 * @param files What is wrong with the files themselves, whose content is not read.
 */
function keyContentProblems(
  config: Config,
  hostFacts: HostFacts,
  files: readonly Problem[],
): Problem[] {
  const refused = new Set(files.map(({ at }) => placeOf(at)));
  return (config.listeners ?? []).flatMap((listener, index) =>
    listener.kind === "tcp"
      ? problemsOfListener(listener, index, hostFacts, (at) => refused.has(placeOf(at)))
      : []
  );
}

/** Directories of keys that cannot be listed, such as without the permission to read them. */
function unlistedDirectories(config: Config, { serverUid }: HostFacts): Problem[] {
  return (config.listeners ?? []).flatMap((listener, index) =>
    (listener.kind === "tcp" ? listener.keyDirectories : []).flatMap(({ directory, at }) => {
      try {
        listKeyDirectory(directory, serverUid);
        return [];
      } catch (error) {
        return [{ at, ...problemOf(error), key: `listeners[${index}].keys` }];
      }
    })
  );
}

/** What is wrong with the files in directories of keys. */
function directoryProblems(config: Config, { serverUid }: HostFacts): Problem[] {
  return (config.listeners ?? []).flatMap((listener, index) => {
    if (listener.kind !== "tcp") return [];
    const key = `listeners[${index}].keys`;
    const known = new Map<string, ListedKey>();
    return listListenerKeys(listener, config, serverUid).flatMap((one) => {
      const { id, user, notAfter, problem, hint, at } = one;
      const other = id === null ? undefined : known.get(id);
      if (id !== null && other === undefined) known.set(id, one);
      if (!one.isInDirectory) return [];
      if (problem !== null) {
        return [{ at, key, what: problem, ...hint === undefined ? {} : { hint } }];
      }
      if (!other || other.user === user && other.notAfter === notAfter) return [];
      return [{ at, key, ...refusedKey(one, other) }];
    });
  });
}

function placeOf({ line, column }: Problem["at"]): string {
  return `${line}:${column}`;
}

function problemsOfListener(
  listener: ListenerConfig & { readonly kind: "tcp" },
  index: number,
  { serverUid }: HostFacts,
  isRefused: (at: Problem["at"]) => boolean,
): Problem[] {
  const problems: Problem[] = [];
  const known = new Map<string, typeof listener.keys[number]>();
  for (const [number, entry] of listener.keys.entries()) {
    if (isRefused(entry.at)) continue;
    const place = { at: entry.at, key: `listeners[${index}].keys[${number}].file` };
    let id: string;
    try {
      const read = readKeyFile(entry.file, serverUid, { once: true });
      read.key.fill(0);
      id = read.id;
    } catch (error) {
      problems.push({ ...place, ...problemOf(error) });
      continue;
    }
    const other = known.get(id);
    if (other === undefined) known.set(id, entry);
    else if (other.user !== entry.user || other.notAfter !== entry.notAfter) {
      problems.push({ ...place, ...refusedKey({ ...entry, id, isInDirectory: false }, other) });
    }
  }
  return problems;
}

/** What is wrong with a key that another file grants in another way. */
function refusedKey(
  one: Pick<ListedKey, "id" | "file" | "user" | "isInDirectory">,
  other: Pick<ListedKey, "file" | "user" | "at">,
): Pick<Problem, "what" | "hint"> {
  const { what, hint } = keyConflict(one.id!, one, other, other.at.line);
  return { what: `the ${what}: it would be refused`, hint };
}

/** What an error says as a problem of a whole file. @throws The error where it is a bug. */
export function asProblem(error: unknown): Omit<Problem, "at"> {
  if (!(error instanceof Failure) || error.exit !== ExitCode.config) throw error;
  return { key: "", ...problemOf(error) };
}

/** What a failure says. @throws The error where it is none. */
function problemOf(error: unknown): Pick<Problem, "what" | "hint"> {
  if (!(error instanceof Failure)) throw error;
  const { message, hint } = error;
  return { what: message, ...hint === undefined ? {} : { hint } };
}
