/**
 * The configuration from its file: found, judged safe, read whole, parsed.
 *
 * @module
 */
import { dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { readProc } from "../libc/files.ts";
import { gidByName } from "../libc/ids.ts";
import { judgeConfig, judgeDirectory, judgeKey } from "../policy/file_mode.ts";
import type { Ground } from "../policy/types.ts";
import type { ConfigPlaces } from "./locate.ts";
import { parseConfig } from "./schema.ts";
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
export function loadGround(uid: number): Ground {
  return { serverUid: uid, overflowUid: overflowUid() };
}

/** The uid that stands for every uid without a mapping (`proc_sys_kernel(5)`, `overflowuid`). */
function overflowUid(): number {
  const text = readProc("/proc/sys/kernel/overflowuid");
  const uid = Number(text);
  if (!Number.isInteger(uid)) throw new Error(`/proc/sys/kernel/overflowuid holds "${text}"`);
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
export function loadConfig(places: ConfigPlaces, ground: Ground): Config {
  const file = findConfig(places, ground);
  return file === null ? BUILT_IN : parse(file, ground);
}

/**
 * Reads the file of the first place that has one.
 *
 * @returns Null when none has and nobody named one.
 * @throws {Failure} 78 as {@linkcode loadConfig}, short of what is in the file.
 */
export function findConfig(places: ConfigPlaces, ground: Ground): ConfigFile | null {
  for (const path of places.paths) {
    const text = readConfigFile(path, ground);
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
export function readConfigFile(path: string, ground: Ground): string | null {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw unreadable(path, error);
  }
  try {
    // The opened file is judged, not whatever the name points to a moment later.
    const facts = file.statSync();
    const problem = judgeConfig({ mode: facts.mode!, uid: facts.uid! }, path, ground.serverUid) ??
      directoryProblem(path, ground);
    if (problem !== null) {
      throw new Failure(`The configuration ${problem.sentence}`, {
        exit: ExitCode.config,
        hint: problem.fix,
      });
    }
    return decode(path, readAll(file, facts.size));
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    file.close();
  }
}

/** Parses a file's text. @throws {Failure} 78. */
export function parse({ text, path }: ConfigFile, ground: Ground): Config {
  const config = parseConfig(text, path, {
    overflowUid: ground.overflowUid,
    groupId: gidByName,
  });
  judgeKeys(config, ground);
  return config;
}

function directoryProblem(path: string, ground: Ground) {
  // A link may lead elsewhere; who may replace the real file is asked of its own directory.
  const directory = dirname(Deno.realPathSync(path));
  const { mode, uid } = Deno.statSync(directory);
  return judgeDirectory({ mode: mode!, uid: uid! }, directory, ground.serverUid);
}

/** Key files are looked at with the configuration that names them; what they hold is read later. */
function judgeKeys(config: Config, ground: Ground): void {
  for (const listener of config.listeners ?? []) {
    if (listener.kind !== "tcp") continue;
    for (const { file, at } of listener.keys) {
      const where = `${config.path}:${at.line}:${at.column}: keys`;
      let facts: Deno.FileInfo;
      try {
        facts = Deno.statSync(file);
      } catch (error) {
        throw new Failure(`${where}: cannot look at the key file ${file}: ${reason(error)}`, {
          exit: ExitCode.config,
          hint: `ipcauth gen-key ${file}`,
          cause: error,
        });
      }
      const problem = judgeKey({ mode: facts.mode!, uid: facts.uid! }, file, ground.serverUid);
      if (problem !== null) {
        throw new Failure(`${where}: the key file ${problem.sentence}`, {
          exit: ExitCode.config,
          hint: problem.fix,
        });
      }
    }
  }
}

function readAll(file: Deno.FsFile, size: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // One byte more than it has: a file that grew is seen to go on.
  const chunk = new Uint8Array(size + 1);
  for (let count = file.readSync(chunk); count !== null; count = file.readSync(chunk)) {
    chunks.push(chunk.slice(0, count));
    length += count;
    if (length > LARGEST) break;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of chunks) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Past this the parser refuses the text anyway. */
const LARGEST = 8 << 20;

function decode(path: string, bytes: Uint8Array): string {
  try {
    // The mark at the beginning stays: an edit must not lose it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Failure(`${path}:1:1: the file is not UTF-8`, {
      exit: ExitCode.config,
      hint: `iconv -t UTF-8 ${path}`,
      cause,
    });
  }
}

function missing(path: string): Failure {
  return new Failure(`There is no configuration ${path}`, {
    exit: ExitCode.config,
    hint: `ipcauth users add NAME --uid N --local-ipc-access --config ${path}`,
  });
}

function unreadable(path: string, cause: unknown): Failure {
  return new Failure(`Cannot read the configuration ${path}: ${reason(cause)}`, {
    exit: ExitCode.config,
    hint: `ls -ld ${path}`,
    cause,
  });
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
