/**
 * `ipcauth gen-key`: make a key file, or describe one. The key itself is never printed.
 *
 * @module
 */
import { resolve } from "@std/path";
import { generateKey } from "../keys/key_format.ts";
import { keyId } from "../keys/key_id.ts";
import { octalMode } from "../files/permissions.ts";
import { describeKeyFile } from "../keys/key_reader.ts";
import { newKeyPath, storeKey } from "../keys/key_writer.ts";
import { forbidMemoryDumps } from "../libc/core_dump.ts";
import { ExitCode } from "../errors.ts";
import { nameByUid } from "../libc/ids.ts";
import { escapeForTerminal, escapeJson } from "../text/escape.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Makes a key file and prints how a server and a client use it.
 *
 * @param file Its path, or null for the default one.
 * @param force Whether an existing key may be replaced.
 * @returns 0.
 * @throws {Failure} 73 when a key exists and `force` is false, 77 or 71 when it cannot be written,
 * 78 when others could replace it in its directory. An existing key is unchanged then.
 */
export function genKey(file: string | null, force: boolean, context: Context): ExitCode {
  const { environment } = context;
  forbidMemoryDumps();
  const key = generateKey();
  let id: string;
  let path: string;
  try {
    id = keyId(key);
    path = storeKey(file ?? newKeyPath(environment), key, { force, ownUid: environment.uid });
  } finally {
    key.fill(0);
  }
  context.out(lines({
    "key id": id,
    "file": path,
    "server": `keys: [{ file: ${yamlText(path)}, user: NAME }]`,
    "client": `ipcauth connect --tcp=HOST:PORT --key=${shellWord(path)}`,
  }));
  return ExitCode.ok;
}

/**
 * Prints the id, age, owner and mode of a key file, and what is wrong with them.
 *
 * @returns 0; 78 when the owner the mode or the path is wrong.
 * @throws {Failure} 78 when it does not exist, 77 or 71 when it cannot be read, 65 when it holds no
 * key.
 */
export function showKey(file: string, context: Context): ExitCode {
  const path = resolve(file);
  const { id, writtenAt, uid, gid, mode, problem } = describeKeyFile(
    path,
    context.environment.uid,
  );
  context.out(lines({
    "key id": id,
    "file": path,
    "written": `${new Date(writtenAt).toISOString()} (${age(writtenAt)})`,
    "owner": `${nameByUid(uid)} (uid ${uid}, gid ${gid})`,
    "mode": octalMode(mode),
    ...problem === null ? {} : { "problem": problem.sentence, "fix": problem.fix },
  }));
  return problem === null ? ExitCode.ok : ExitCode.config;
}

/** @param since In milliseconds since 1970. */
function age(since: number): string {
  const days = Math.trunc((Date.now() - since) / DAY_MS);
  if (days < 1) return "less than a day old";
  return days === 1 ? "1 day old" : `${days} days old`;
}

function lines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields).map(([name, value]) =>
    `${name.padEnd(8)} ${escapeForTerminal(value)}\n`
  ).join("");
}

/** A path as a YAML scalar: plain where that is safe, else quoted. */
function yamlText(path: string): string {
  return /^[A-Za-z0-9_/.-]+$/.test(path) ? path : escapeJson(JSON.stringify(path));
}
