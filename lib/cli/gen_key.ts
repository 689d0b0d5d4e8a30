/**
 * `ipcauth gen-key`: make a key file, or describe one. The key itself is never printed.
 *
 * @module
 */
import { resolve } from "@std/path";
import { addKey, tcpListeners } from "../config/edit_keys.ts";
import { generateKey } from "../keys/key_format.ts";
import { keyId } from "../keys/key_id.ts";
import { octalMode } from "../files/permissions.ts";
import { describeKeyFile } from "../keys/key_reader.ts";
import { newKeyPath, removeKey, storeKey } from "../keys/key_writer.ts";
import { forbidMemoryDumps } from "../libc/core_dump.ts";
import { ExitCode } from "../errors.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { nameByUid } from "../libc/ids.ts";
import { escapeForTerminal, escapeJson } from "../text/escape.ts";
import { shellWord } from "../text/shell_word.ts";
import type { Context } from "./context.ts";
import { writeEdit } from "./file_edit.ts";
import { flagWords, warnOfAccess } from "./keys.ts";
import type { KeyEntry } from "./keys_action.ts";
import { UsersConfig } from "./users_config.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** What stands for a listener that is not known. */
const ANY = "HOST:PORT";

/** What is to be made. */
interface NewKey {
  /** Its path, or null for the default one. */
  readonly file: string | null;
  /** Whether an existing key may be replaced. */
  readonly force: boolean;
  /** The entry that is written to the configuration, or null. */
  readonly entry: KeyEntry | null;
}

/**
 * Makes a key file and prints how a server and a client use it. With an entry it is added to the
 * configuration, too; where that cannot be, no key is made.
 *
 * @returns 0.
 * @throws {Failure} 73 when a key exists and `force` is false, 77 or 71 when it cannot be written,
 * 78 when others could replace it in its directory; of an entry, also as `keys add`. An existing
 * key is unchanged then.
 */
export async function genKey(
  { file, force, entry }: NewKey,
  context: Context,
): Promise<ExitCode> {
  const path = resolve(file ?? newKeyPath(context.environment));
  const { id, listener } = entry === null
    ? { ...make(path, force, context), listener: ANY }
    : await makeWithEntry(path, force, entry, context);
  context.out(lines({
    "key id": id,
    "file": path,
    ...entry === null ? { "server": `keys: [{ file: ${yamlText(path)}, user: NAME }]` } : {},
    "client": `ipcauth connect --tcp=${shellWord(listener)} --key=${shellWord(path)}`,
  }));
  return ExitCode.ok;
}

function make(
  path: string,
  force: boolean,
  { environment }: Context,
): { readonly id: string; remove(): void } {
  forbidMemoryDumps();
  const key = generateKey();
  try {
    const id = keyId(key);
    storeKey(path, key, { force, ownUid: environment.uid });
    return { id, remove: () => removeKey(path) };
  } finally {
    key.fill(0);
  }
}

/**
 * The entry is checked before the key is made, and written after it.
 *
 * @returns Also the address of the listener that has the entry.
 */
async function makeWithEntry(
  path: string,
  force: boolean,
  entry: KeyEntry,
  context: Context,
): Promise<{ readonly id: string; readonly listener: string }> {
  const config = new UsersConfig(context);
  const words = ["gen-key", path, ...force ? ["--force"] : [], ...flagWords(entry)];
  let made: ReturnType<typeof make> | null = null;
  try {
    await writeEdit(words, config, context, (text, at) => {
      const edited = addKey(text, entry.listener, { file: path, ...entry }, at);
      made = make(path, force, context);
      return edited;
    });
  } catch (error) {
    // A key that was replaced cannot be brought back.
    if (!force) (made as ReturnType<typeof make> | null)?.remove();
    throw error;
  }
  warnOfAccess(entry.user, config, context);
  const [found] = tcpListeners(config.parse(), entry.listener);
  // Another edit may have followed by now.
  return { id: made!.id, listener: found === undefined ? ANY : hostPortText(found.listener) };
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
