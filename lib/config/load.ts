/**
 * Loading the configuration: find the file, check owner and mode, read it whole, parse it.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { overflowUid } from "../libc/overflow_uid.ts";
import { type FileStatus, fileStatus, FileType } from "../libc/file_status.ts";
import {
  checkConfigFile,
  checkKeyDirectory,
  checkKeyFile,
  type PathProblem,
  requireSafe,
} from "../files/permissions.ts";
import { checkTrustedFile, readTrustedFile } from "../files/trusted_file.ts";
import { shellWord } from "../text/shell_word.ts";
import type { HostFacts } from "../policy/types.ts";
import type { ConfigPlaces } from "./default_paths.ts";
import { isAbsent, reasonOf } from "../files/system_reason.ts";
import type { Problem } from "./document.ts";
import { badConfig, MAX_CONFIG_BYTES, parseConfig } from "./schema.ts";
import {
  type Config,
  DEFAULT_DIRECTORY,
  DEFAULT_LIMITS,
  DEFAULT_LOG,
  DEFAULT_SANDBOX,
  DEFAULT_WORKERS,
} from "./types.ts";

/**
 * The configuration without a file. It has no users, so it allows uid 0 and the server's uid alone.
 */
export const BUILT_IN: Config = {
  path: null,
  listeners: null,
  access: { users: [], usersByUid: new Map(), usersByName: new Map(), groups: [] },
  namedGroups: [],
  namedAccounts: [],
  limits: DEFAULT_LIMITS,
  log: DEFAULT_LOG,
  directory: DEFAULT_DIRECTORY,
  sandbox: DEFAULT_SANDBOX,
  workers: DEFAULT_WORKERS,
};

/**
 * Reads the facts of the host that a decision depends on.
 *
 * @param uid The server's effective uid.
 * @throws {SystemError} When `/proc/sys/kernel/overflowuid` exists and cannot be read.
 */
export function loadHostFacts(uid: number): HostFacts {
  return { serverUid: uid, overflowUid: overflowUid() };
}

/** A file whose content is no text, or is larger than a configuration may be. */
export class ConfigTextError extends Failure {}

/** How often a configuration is read. */
export interface ReadOptions {
  /** Whether it is read only once, so that it may be a pipe, such as `/dev/stdin`. */
  readonly once: boolean;
}

/** A configuration file that was read. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Loads the configuration of the first place that has a file, for one use.
 *
 * @param places The paths that it may have.
 * @param hostFacts The uids that it is checked against.
 * @returns {@linkcode BUILT_IN} where no place has a file and none was named.
 * @throws {Failure} 78 when a named file is missing, or a file cannot be read, can be changed by
 * other users, or has a mistake in it.
 */
export function loadConfig(places: ConfigPlaces, hostFacts: HostFacts): Config {
  const file = findConfig(places, hostFacts, { once: true });
  return file === null ? BUILT_IN : parseConfigFile(file, hostFacts);
}

/**
 * Reads the file of the first place that has one, without parsing it.
 *
 * @returns Null when no place has a file and none was named.
 * @throws {Failure} 78 as {@linkcode loadConfig}, except for mistakes in the file.
 */
export function findConfig(
  places: ConfigPlaces,
  hostFacts: HostFacts,
  options: ReadOptions = { once: false },
): ConfigFile | null {
  for (const path of places.paths) {
    const text = readConfigFile(path, hostFacts, options);
    if (text !== null) return { path, text };
  }
  if (places.explicit) throw missing(places.paths[0]!);
  return null;
}

/**
 * Reads a configuration file, if no other user can change it.
 *
 * @returns Its text with its byte order mark, or null when there is no such file.
 * @throws {Failure} 78 when it cannot be read, other users can change it, it is larger than
 * {@linkcode MAX_CONFIG_BYTES}, or it is not UTF-8.
 */
export function readConfigFile(
  path: string,
  hostFacts: HostFacts,
  { once }: ReadOptions = { once: false },
): string | null {
  try {
    const { content, status, problem } = readTrustedFile(path, {
      check: checkConfigFile,
      ownUid: hostFacts.serverUid,
      maxBytes: MAX_CONFIG_BYTES,
      once,
    });
    requireSafe(problem, "The configuration");
    if (content === null) throw tooLarge(path, status);
    return decode(path, content);
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error instanceof Failure ? error : unreadable(path, error);
  }
}

/**
 * Parses a configuration file, and checks the key files that it names.
 *
 * @throws {Failure} 78 when the file has a mistake in it, or a key file is missing or can be read
 * or changed by other users.
 */
export function parseConfigFile({ text, path }: ConfigFile, hostFacts: HostFacts): Config {
  const config = parseConfig(text, path, hostFacts);
  checkKeyFiles(config, hostFacts);
  return config;
}

/** Checks the key files. @throws {Failure} 78 for the first that is missing or not safe. */
export function checkKeyFiles(config: Config, hostFacts: HostFacts): void {
  for (const { cause, ...problem } of keyFileProblems(config, hostFacts)) {
    throw badConfig(config.path!, [problem], 1, cause);
  }
}

/**
 * Checks the key files and their paths. Their content is read by the listeners, which check each of
 * them again then.
 *
 * @param config Of a file.
 * @returns What is wrong, with the error of the system where there is one.
 */
export function* keyFileProblems(
  config: Config,
  hostFacts: HostFacts,
): Generator<Problem & { readonly cause?: unknown }> {
  const options = { check: checkKeyFile, ownUid: hostFacts.serverUid };
  const trusted = new Set<string>();
  for (const [index, listener] of config.listeners?.entries() ?? []) {
    if (listener.kind !== "tcp") continue;
    for (const [number, { file, at }] of listener.keys.entries()) {
      const place = { at, key: `listeners[${index}].keys[${number}].file` };
      let problem: PathProblem | null;
      try {
        problem = checkTrustedFile(file, fileStatus(file), options, trusted);
      } catch (cause) {
        yield {
          ...place,
          what: `cannot use the key file ${file}: ${reasonOf(cause)}`,
          hint: isAbsent(cause)
            ? `ipcauth gen-key ${shellWord(file)}`
            : `namei -l ${shellWord(file)}`,
          cause,
        };
        continue;
      }
      if (problem === null) continue;
      yield { ...place, what: `the key file ${problem.sentence}`, hint: problem.fix };
    }
    for (const { directory, at } of listener.keyDirectories) {
      const place = { at, key: `listeners[${index}].keys` };
      try {
        const checks = { ...options, check: checkKeyDirectory };
        const problem = checkTrustedFile(directory, fileStatus(directory), checks, trusted);
        if (problem === null) continue;
        yield { ...place, what: `the key directory ${problem.sentence}`, hint: problem.fix };
      } catch (cause) {
        const word = shellWord(directory);
        yield {
          ...place,
          what: `cannot use the key directory ${directory}: ${reasonOf(cause)}`,
          hint: isAbsent(cause) ? `mkdir -m 0700 ${word}` : `namei -l ${word}`,
          cause,
        };
      }
    }
  }
}

function tooLarge(path: string, { mode, size }: FileStatus): Failure {
  const isFile = (mode & FileType.mask) === FileType.regular;
  if (!isFile || size >= MAX_CONFIG_BYTES) {
    return new ConfigTextError(
      `${path}:1:1: the file is larger than ${MAX_CONFIG_BYTES >> 20} MiB`,
      {
        exit: ExitCode.config,
        hint: `ls -lh ${shellWord(path)}`,
      },
    );
  }
  // It grew after its size was taken.
  return new Failure(`The configuration ${path} is being written`, { exit: ExitCode.config });
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    // The byte order mark stays, because an edit has to keep it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigTextError(`${path}:${foreignByte(bytes)}: the file is not UTF-8`, {
      exit: ExitCode.config,
      hint: `${recoding(bytes)} ${shellWord(path)} > NEW && cat NEW > ${shellWord(path)}`,
      cause,
    });
  }
}

/** The command that prints a file in UTF-8, but for its name. UTF-16 begins with its mark. */
function recoding([first, second]: Uint8Array): string {
  const isUtf16 = first === 0xff && second === 0xfe || first === 0xfe && second === 0xff;
  return isUtf16 ? "iconv -f UTF-16 -t UTF-8" : "iconv -f ISO-8859-1 -t UTF-8";
}

/** `LINE:COLUMN` of the first byte that is not UTF-8. */
function foreignByte(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from);
    const part = bytes.subarray(from, end < 0 ? bytes.length : end);
    const text = decoder.decode(part);
    const differs = new TextEncoder().encode(text).findIndex((byte, index) => byte !== part[index]);
    // A character is put in the place of such a byte, so the texts are equal up to there.
    if (differs >= 0) return `${line}:${decoder.decode(part.subarray(0, differs)).length + 1}`;
    from += part.length + 1;
  }
  return "1:1";
}

function missing(path: string): Failure {
  return new Failure(`There is no configuration ${path}`, {
    exit: ExitCode.config,
    hint: `ipcauth users add NAME --uid N --local-ipc-access --config ${shellWord(path)}`,
  });
}

function unreadable(path: string, cause: unknown): Failure {
  return new Failure(`Cannot read the configuration ${path}: ${reasonOf(cause)}`, {
    exit: ExitCode.config,
    hint: `namei -l ${shellWord(path)}`,
    cause,
  });
}
