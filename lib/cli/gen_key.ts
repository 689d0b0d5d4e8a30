/**
 * `ipcauth gen-key`: make a key, or look at one. The key itself is never printed.
 *
 * @module
 */
import { resolve } from "@std/path";
import { generateKey } from "../keys/key_format.ts";
import { keyId } from "../keys/key_id.ts";
import { octalMode } from "../files/permissions.ts";
import { describeKeyFile } from "../keys/key_reader.ts";
import { newKeyPath, storeKey } from "../keys/key_writer.ts";
import { ExitCode } from "../errors.ts";
import { nameByUid } from "../session/user_names.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";

const DAY = 24 * 60 * 60 * 1000;

/**
 * Makes a key.
 *
 * @param file Where to, or null for the usual place.
 * @param force Whether a key that is there may be replaced.
 * @returns 0.
 * @throws {Failure} When it cannot be. A key that was there is as it was then.
 */
export function genKey(file: string | null, force: boolean, context: Context): ExitCode {
  const { environment } = context;
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
 * Shows what a key file is.
 *
 * @returns 0; 78 when its owner or mode is wrong.
 * @throws {Failure} When it cannot be read, or is none.
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
    ...writtenAt === null
      ? {}
      : { "written": `${new Date(writtenAt).toISOString()} (${age(writtenAt)})` },
    "owner": `${nameByUid(uid)} (uid ${uid}, gid ${gid})`,
    "mode": octalMode(mode),
    ...problem === null ? {} : { "problem": problem.sentence, "fix": problem.fix },
  }));
  return problem === null ? ExitCode.ok : ExitCode.config;
}

function age(since: number): string {
  const days = Math.floor((Date.now() - since) / DAY);
  if (days < 1) return "less than a day old";
  return days === 1 ? "1 day old" : `${days} days old`;
}

function lines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields).map(([name, value]) => `${name.padEnd(8)} ${value}\n`).join("");
}

/** A path as it can stand in a configuration. */
function yamlText(path: string): string {
  return /^[A-Za-z0-9_/.-]+$/.test(path) ? path : JSON.stringify(path);
}
