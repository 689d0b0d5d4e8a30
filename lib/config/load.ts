/**
 * The configuration from its file: found, judged safe, read whole, parsed.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { readProc } from "../libc/read_file.ts";
import { gidByName } from "../libc/ids.ts";
import { checkConfigFile, checkKeyFile, type PathProblem } from "../files/permissions.ts";
import { parseId } from "../policy/id.ts";
import { shellWord } from "../text/shell_word.ts";
import type { HostFacts } from "../policy/types.ts";
import type { ConfigPlaces } from "./default_paths.ts";
import { checkPath, fileFacts } from "../files/trusted_path.ts";
import { LARGEST, parseConfig } from "./schema.ts";
import { type Config, DEFAULT_LIMITS, DEFAULT_LOG } from "./types.ts";

/** The configuration of a machine that has none: nobody is listed, so only root and the server get in. */
export const BUILT_IN: Config = {
  path: null,
  listeners: null,
  access: { users: [], usersByUid: new Map(), usersByName: new Map(), groups: [] },
  limits: DEFAULT_LIMITS,
  log: DEFAULT_LOG,
};

/**
 * What is known about the machine and the server.
 *
 * @param uid The server's effective uid.
 */
export function loadHostFacts(uid: number): HostFacts {
  return { serverUid: uid, overflowUid: overflowUid() };
}

/** The uid that stands for every uid without a mapping (`proc_sys_kernel(5)`, `overflowuid`). */
function overflowUid(): number {
  let text: string;
  try {
    text = readProc("/proc/sys/kernel/overflowuid");
  } catch (error) {
    // Without /proc the kernel's own default holds (DEFAULT_OVERFLOWUID of linux/highuid.h).
    if (error instanceof SystemError && error.errno === Errno.ENOENT) return 65534;
    throw error;
  }
  const uid = parseId(text.trimEnd());
  if (uid === null) throw new Error(`/proc/sys/kernel/overflowuid holds "${text}"`);
  return uid;
}

/** A configuration file that was read. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Loads the configuration of the first place that has a file.
 *
 * @param places Where it may lie.
 * @param ground Who reads it.
 * @throws {Failure} 78 when a named file is missing, or a file is unreadable, unsafe or wrong.
 */
export function loadConfig(places: ConfigPlaces, hostFacts: HostFacts): Config {
  const file = findConfig(places, hostFacts);
  return file === null ? BUILT_IN : parse(file, hostFacts);
}

/**
 * Reads the file of the first place that has one.
 *
 * @returns Null when none has and nobody named one.
 * @throws {Failure} 78 as {@linkcode loadConfig}, short of what is in the file.
 */
export function findConfig(places: ConfigPlaces, hostFacts: HostFacts): ConfigFile | null {
  for (const path of places.paths) {
    const text = readConfigFile(path, hostFacts);
    if (text !== null) return { path, text };
  }
  if (places.explicit) throw missing(places.paths[0]!);
  return null;
}

/**
 * Reads a configuration file, if it is safe to believe.
 *
 * @returns Its text, or null when there is no such file.
 * @throws {Failure} 78 when it cannot be read, or others may change it.
 */
export function readConfigFile(path: string, hostFacts: HostFacts): string | null {
  let file: Deno.FsFile;
  try {
    // Opening a FIFO would wait for its writer, so what is no file is not opened at all.
    refuse(judgeFile(Deno.statSync(path), path, hostFacts));
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error instanceof Failure ? error : unreadable(path, error);
  }
  try {
    // The opened file is judged, not whatever the name points to a moment later.
    refuse(judgeFile(file.statSync(), path, hostFacts));
    refuse(checkPath(path, hostFacts.serverUid));
    return decode(path, readAll(path, file));
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    file.close();
  }
}

/** Parses a file's text. @throws {Failure} 78. */
export function parse({ text, path }: ConfigFile, hostFacts: HostFacts): Config {
  const config = parseConfig(text, path, {
    overflowUid: hostFacts.overflowUid,
    groupId: gidByName,
  });
  judgeKeys(config, hostFacts);
  return config;
}

function judgeFile(info: Deno.FileInfo, path: string, hostFacts: HostFacts): PathProblem | null {
  return checkConfigFile(fileFacts(info), path, hostFacts.serverUid);
}

/** @throws {Failure} 78 when there is a problem. */
export function refuse(problem: PathProblem | null): void {
  if (problem === null) return;
  throw new Failure(`The configuration ${problem.sentence}`, {
    exit: ExitCode.config,
    hint: problem.fix,
  });
}

/** Key files are looked at with the configuration that names them; what they hold is read later. */
function judgeKeys(config: Config, hostFacts: HostFacts): void {
  for (const [index, listener] of config.listeners?.entries() ?? []) {
    if (listener.kind !== "tcp") continue;
    for (const [number, { file, at }] of listener.keys.entries()) {
      const where = `${config.path}:${at.line}:${at.column}: ` +
        `listeners[${index}].keys[${number}].file`;
      let facts: Deno.FileInfo;
      try {
        facts = Deno.statSync(file);
      } catch (error) {
        throw new Failure(`${where}: cannot look at the key file ${file}: ${reason(error)}`, {
          exit: ExitCode.config,
          hint: `ipcauth gen-key ${shellWord(file)}`,
          cause: error,
        });
      }
      const problem = checkKeyFile(fileFacts(facts), file, hostFacts.serverUid);
      if (problem !== null) {
        throw new Failure(`${where}: the key file ${problem.sentence}`, {
          exit: ExitCode.config,
          hint: problem.fix,
        });
      }
    }
  }
}

function readAll(path: string, file: Deno.FsFile): Uint8Array {
  // One byte more than is accepted: a file that grew meanwhile is seen to go on.
  const bytes = new Uint8Array(Math.min(file.statSync().size, LARGEST) + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
  }
  if (length > LARGEST) {
    throw new Failure(`${path}:1:1: the file is larger than 4 MiB`, {
      exit: ExitCode.config,
      hint: `ls -lh ${shellWord(path)}`,
    });
  }
  // It grew between the look at its size and the end of reading.
  throw new Failure(`The configuration ${path} is being written`, { exit: ExitCode.config });
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    // The mark at the beginning stays: an edit must not lose it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Failure(`${path}:1:1: the file is not UTF-8`, {
      exit: ExitCode.config,
      hint: `iconv -f ISO-8859-1 -t UTF-8 ${shellWord(path)}`,
      cause,
    });
  }
}

function missing(path: string): Failure {
  return new Failure(`There is no configuration ${path}`, {
    exit: ExitCode.config,
    hint: `ipcauth users add NAME --uid N --local-ipc-access --config ${shellWord(path)}`,
  });
}

function unreadable(path: string, cause: unknown): Failure {
  return new Failure(`Cannot read the configuration ${path}: ${reason(cause)}`, {
    exit: ExitCode.config,
    hint: `ls -ld ${shellWord(path)}`,
    cause,
  });
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
