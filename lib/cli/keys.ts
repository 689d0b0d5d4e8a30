/**
 * `ipcauth keys`: list, add, revoke and rotate the keys of the TCP listeners. No key is printed.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { timeText } from "../config/config_text.ts";
import { addKey, removeKeys, tcpListeners } from "../config/edit_keys.ts";
import type { FileContext } from "../config/verified_edit.ts";
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { isAbsent } from "../files/system_reason.ts";
import { type ListedKey, listListenerKeys } from "../keys/listed_key.ts";
import { readKeyFile } from "../keys/key_reader.ts";
import { newKey } from "../keys/key_writer.ts";
import { linkStatus } from "../libc/file_status.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { didYouMean } from "../text/nearest.ts";
import { shellWord } from "../text/shell_word.ts";
import { tableText } from "../text/table.ts";
import type { Context } from "./context.ts";
import { writeEdit } from "./file_edit.ts";
import type { KeysAction } from "./keys_action.ts";
import { UsersConfig } from "./users_config.ts";
import { jsonLine } from "./users_report.ts";

/**
 * Runs an action.
 *
 * @param json Whether the answer is JSON instead of text for a terminal.
 * @returns 0.
 * @throws {Failure} 65 when there is no such key, listener or user, 64 when several listeners could
 * be meant, 73 when the key is there already, 77 when a file may not be written, 78 when the
 * configuration or a key file is bad. The configuration is as it was then.
 */
export async function keys(
  action: KeysAction,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const config = new UsersConfig(context);
  switch (action.verb) {
    case "list":
      return list(config, json, context);
    case "add":
      return await add(action, config, json, context);
    case "revoke":
      return await revoke(action, config, json, context);
    case "rotate":
      return await rotate(action, config, json, context);
  }
}

/** A key, its listener, and the id of it where the file can be read. */
interface ListenerKey {
  readonly entry: ListedKey;
  readonly listener: string;
  readonly id: string | null;
  readonly problem: string | null;
}

function listedKeys(found: Config, at: string | null, { hostFacts }: UsersConfig): ListenerKey[] {
  return tcpListeners(found, at).flatMap(({ listener }) =>
    listListenerKeys(listener, found, hostFacts.serverUid).map((entry) => ({
      entry,
      listener: hostPortText(listener),
      id: entry.id,
      problem: entry.problem,
    }))
  );
}

function list(config: UsersConfig, json: boolean, { out, err, view }: Context): ExitCode {
  // A key file that is missing is what the list may be asked about, so it keeps none from it.
  const listed = listedKeys(config.parse(), null, config);
  const time = ({ notAfter }: ListedKey) => notAfter === null ? null : timeText(notAfter);
  if (json) {
    out(jsonLine(listed.map(({ id, entry, listener, problem }) => ({
      id,
      user: entry.user,
      not_after: time(entry),
      file: entry.file,
      listener,
      problem,
    }))));
    return ExitCode.ok;
  }
  const rows = listed.map(({ id, entry, listener }) =>
    [id ?? "-", entry.user ?? "(trusted)", time(entry) ?? "-", listener, entry.file]
      .map(escapeForTerminal)
  );
  out(tableText({ head: ["ID", "USER", "NOT_AFTER", "LISTENER", "FILE"], rows }, view()));
  for (const { problem } of listed) {
    if (problem !== null) err(`ipcauth: warning: ${problem}\n`);
  }
  return ExitCode.ok;
}

async function add(
  { file, entry }: KeysAction & { readonly verb: "add" },
  config: UsersConfig,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const path = resolve(file);
  const { key, id } = readKeyFile(path, config.hostFacts.serverUid);
  key.fill(0);
  const words = ["keys", "add", path, ...flagWords(entry)];
  const { path: where, changed } = await writeEdit(words, config, context, (text, at) => {
    refuseKnown(id, path, entry.listener, config);
    return addKey(text, entry.listener, { file: path, ...entry }, at);
  });
  warnOfAccess(entry.user, config, context);
  const sentence = changed
    ? `added the key ${id} (${entry.user ?? "trusted"}) to ${where}`
    : `the key ${id} is in ${where} already`;
  context.out(json ? jsonLine({ id, file: path }) : `${escapeForTerminal(sentence)}\n`);
  return ExitCode.ok;
}

/** @throws {Failure} 73 when another file at the listener holds the same key. */
function refuseKnown(id: string, path: string, at: string | null, config: UsersConfig): void {
  const same = listedKeys(config.parse(), at, config).find((one) =>
    one.id === id && one.entry.file !== path
  );
  if (same === undefined) return;
  throw new Failure(
    `The key ${id} is in ${same.entry.file} already, of ${same.entry.user ?? "a trusted client"}`,
    { exit: ExitCode.exists, hint: "ipcauth gen-key FILE --user NAME makes another" },
  );
}

/** Says what a key is good for: nothing where its user has no access, everything without a user. */
export function warnOfAccess(
  user: string | null,
  config: UsersConfig,
  { err }: Context,
): void {
  if (user === null) {
    err("ipcauth: warning: a key without --user is trusted: its clients have every permission\n");
    return;
  }
  if (config.parse().access.usersByName.get(user)?.localIpcAccess !== false) return;
  err(
    `ipcauth: warning: ${user} has no access yet\n` +
      `hint: ipcauth users allow ${shellWord(user)}${config.flags}\n`,
  );
}

/** The flags of an entry as words of a command. */
export function flagWords(
  { user, listener, notAfter }: {
    readonly user: string | null;
    readonly listener: string | null;
    readonly notAfter: number | null;
  },
): string[] {
  return [
    ...user === null ? [] : ["--user", user],
    ...listener === null ? [] : ["--listener", listener],
    ...notAfter === null ? [] : ["--not-after", timeText(notAfter)],
  ];
}

async function revoke(
  { id, listener }: KeysAction & { readonly verb: "revoke" },
  config: UsersConfig,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  let files: ReadonlySet<string> = new Set();
  let known: string | null = null;
  const words = ["keys", "revoke", id, ...flagWords({ user: null, listener, notAfter: null })];
  const { path } = await writeEdit(words, config, context, (text, at) => {
    const found = requireKey(id, listener, config);
    known = found.find((one) => one.id !== null)?.id ?? null;
    refuseInDirectory("revoke", id, found);
    files = new Set(found.map(({ entry }) => entry.file));
    return removeKeys(text, listener, files, at);
  });
  const remove = [...files].map((file) => `rm ${shellWord(file)}`).join("; ");
  const sentence = `revoked the key ${known ?? id} in ${path}; its file is left: ${remove}`;
  context.out(
    json ? jsonLine({ id: known, files: [...files] }) : `${escapeForTerminal(sentence)}\n`,
  );
  return ExitCode.ok;
}

/**
 * Refuses to change the key of a directory: what copies files there would bring it back.
 *
 * @throws {Failure} 65, with the command that changes it.
 */
function refuseInDirectory(
  verb: "revoke" | "rotate",
  id: string,
  found: readonly ListenerKey[],
): void {
  const files = [
    ...new Set(
      found.flatMap(({ entry }) => entry.isInDirectory ? entry.file : []),
    ),
  ];
  const [file] = files;
  if (file === undefined) return;
  const stem = basename(file, ".key").split("+")[0];
  const hint = verb === "revoke"
    ? `rm ${files.map(shellWord).join(" ")}`
    : `ipcauth gen-key ${shellWord(join(dirname(file), `${stem}+2.key`))}, ` +
      `and when its clients have it: rm ${shellWord(file)}`;
  throw new Failure(
    `The key ${id} is a file of a directory, ${file}, and no entry of the configuration`,
    { exit: ExitCode.data, hint },
  );
}

/**
 * The entries of a key. Of a file it is all that hold the same key: it would be let in by another
 * one.
 *
 * @param id As in an action.
 * @throws {Failure} 65 when there is none.
 */
function requireKey(id: string, listener: string | null, config: UsersConfig): ListenerKey[] {
  const listed = listedKeys(config.parse(), listener, config);
  const isNamed = ({ entry, ...one }: ListenerKey) =>
    one.id === id || id.includes("/") && resolve(entry.file) === resolve(id);
  const ids = new Set(listed.filter(isNamed).flatMap((one) => one.id ?? []));
  const found = listed.filter((one) => isNamed(one) || one.id !== null && ids.has(one.id));
  if (found.length > 0) return found;
  const known = listed.flatMap((one) => [...one.id === null ? [] : [one.id], one.entry.file]);
  const unread = listed.find(({ problem }) => problem !== null)?.problem;
  throw new Failure(
    `There is no key ${id}${didYouMean(id, known)}` +
      (unread === undefined ? "" : `, unless its file is this: ${unread}`),
    { exit: ExitCode.data, hint: `ipcauth keys list${config.flags}` },
  );
}

async function rotate(
  { id, listener, notAfter }: KeysAction & { readonly verb: "rotate" },
  config: UsersConfig,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const words = ["keys", "rotate", id, ...flagWords({ user: null, listener, notAfter })];
  let made: { readonly id: string; readonly path: string; remove(): void } | null = null;
  let where = "";
  try {
    await writeEdit(words, config, context, (text, at: FileContext) => {
      const [first, ...more] = requireKey(id, listener, config);
      refuseInDirectory("rotate", id, [first!, ...more]);
      const old = first!.entry;
      if (more.some(({ entry }) => entry.user !== old.user)) {
        throw new Failure(`The key ${id} is in several entries: which one is meant?`, {
          exit: ExitCode.usage,
          hint: `ipcauth keys rotate ${shellWord(id)} --listener ADDRESS${config.flags}`,
        });
      }
      const ending = [first!, ...more].find(({ entry }) => entry.notAfter !== null)?.entry;
      if (ending !== undefined && notAfter === null) {
        throw new Failure(
          `The key ${id} ends at ${timeText(ending.notAfter!)}: when does the next?`,
          {
            exit: ExitCode.usage,
            hint: `ipcauth keys rotate ${shellWord(id)} --not-after TIME${config.flags}`,
          },
        );
      }
      const path = besideOf(old.file);
      where = first!.listener;
      let edited = text;
      for (const one of [first!, ...more]) {
        edited = addKey(edited, one.listener, { file: path, user: old.user, notAfter }, at);
      }
      made = newKey(path, { ownUid: context.environment.uid, like: old.file });
      return edited;
    });
  } catch (error) {
    (made as { remove(): void } | null)?.remove();
    throw error;
  }
  const { id: newId, path } = made!;
  const end = `ipcauth keys revoke ${shellWord(id)}${config.flags}`;
  context.out(
    json ? jsonLine({ id: newId, file: path, listener: where, old: id, revoke: end }) : [
      `key id   ${newId}`,
      `file     ${path}`,
      `client   ipcauth connect --tcp=${where} --key=FILE, with a copy of this file`,
      `then     ${end}`,
    ].map((line) => `${escapeForTerminal(line)}\n`).join(""),
  );
  return ExitCode.ok;
}

/** A path beside a key file that is free, with the date: `bob.key` → `bob-20270630.key`. */
function besideOf(file: string): string {
  const stem = basename(file).replace(/\.key$/, "").replace(/-\d{8}(-\d+)?$/, "");
  const date = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  for (let number = 1;; number++) {
    const name = `${stem}-${date}${number === 1 ? "" : `-${number}`}.key`;
    const path = join(dirname(file), name);
    if (isFree(path)) return path;
  }
}

function isFree(path: string): boolean {
  try {
    return linkStatus(path) === null;
  } catch (error) {
    if (isAbsent(error)) return true;
    throw error;
  }
}
