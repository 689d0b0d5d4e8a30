/**
 * Edits of the keys of TCP listeners: pure, text → text, checked as those of users are.
 *
 * @module
 */
import { normalize } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { listenerAddress } from "../net/address.ts";
import { didYouMean } from "../text/nearest.ts";
import { shellWord } from "../text/shell_word.ts";
import { configValues, keysValues, timeText } from "./config_text.ts";
import { parseAddress } from "./default_paths.ts";
import { scalarText } from "./entry_style.ts";
import { editOthers } from "./extract_edit.ts";
import { ListText } from "./list_text.ts";
import { unknownUser } from "./names.ts";
import { parseConfig } from "./schema.ts";
import type { Config, KeyConfig, TcpListenerConfig } from "./types.ts";
import { type FileContext, invalid, verified } from "./verified_edit.ts";

/** A TCP listener of a file, and its place in the list of listeners. */
interface FoundListener {
  readonly index: number;
  readonly listener: TcpListenerConfig;
}

/**
 * Adds a key to a TCP listener.
 *
 * @param text The content of the file.
 * @param address `HOST:PORT`, or null for the only TCP listener.
 * @returns The new content; the old one where the entry is there already.
 * @throws {Failure} 65 when there is no such listener or user, 64 when several listeners could be
 * meant, 73 when the file has another entry at the listener, 78 when the configuration is bad.
 */
export function addKey(
  text: string,
  address: string | null,
  key: Omit<KeyConfig, "at">,
  context: FileContext,
): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const { index, listener } = requireTcpListener(before, address);
  const { user } = key;
  if (user !== null && !before.access.usersByName.has(user)) {
    throw new Failure(`Cannot add the key: ${unknownUser(user, before.access)}`, {
      exit: ExitCode.data,
      hint: `ipcauth users add ${shellWord(user)} --local-ipc-access${context.flags ?? ""}`,
    });
  }
  const same = listener.keys.find(({ file }) => normalize(file) === normalize(key.file));
  if (same !== undefined) {
    if (same.user === user && same.notAfter === key.notAfter) return text;
    throw new Failure(
      `The key file ${key.file} stands in line ${same.at.line} of ${context.path} already, ` +
        `for ${same.user ?? "a trusted client"}`,
      { exit: ExitCode.exists, hint: `ipcauth keys list${context.flags ?? ""}` },
    );
  }
  const fields = {
    file: scalarText(key.file),
    ...user === null ? {} : { user: scalarText(user) },
    ...key.notAfter === null ? {} : { not_after: timeText(key.notAfter) },
  };
  const edited = inKeys(text, index, (list) => list.add(fields));
  return verified(edited, before, withKeys(before, index, [...listener.keys, key]), context);
}

/**
 * Removes the keys of some files from every TCP listener, or from one.
 *
 * @param text The content of the file.
 * @param address `HOST:PORT`, or null for all TCP listeners.
 * @param files The key files, as the configuration names them.
 * @returns The new content.
 * @throws {Failure} 78 when a listener would be left without a key, or the file is bad.
 */
export function removeKeys(
  text: string,
  address: string | null,
  files: ReadonlySet<string>,
  context: FileContext,
): string {
  for (;;) {
    const before = parseConfig(text, context.path, context.reserved, true);
    const found = tcpListeners(before, address).flatMap(({ index, listener }) => {
      const at = listener.keys.findIndex(({ file }) => files.has(file));
      return at < 0 ? [] : [{ index, listener, at }];
    })[0];
    if (found === undefined) return text;
    const { index, listener, at } = found;
    if (listener.keys.length === 1 && listener.keyDirectories.length === 0) {
      throw new Failure(
        `Cannot remove the last key of ${listenerAddress(listener)}: ` +
          "a tcp listener without keys is refused",
        {
          exit: ExitCode.config,
          hint: `add another key first, or take the listener in line ${listener.at.line} out`,
        },
      );
    }
    const keys = listener.keys.toSpliced(at, 1);
    text = verified(
      inKeys(text, index, (list) => list.remove(entryIndex(listener, listener.keys[at]!))),
      before,
      withKeys(before, index, keys),
      context,
    );
  }
}

/** Edits the list of keys of a listener. */
function inKeys(text: string, listener: number, edit: (list: ListText) => string): string {
  return editOthers(text, (part) => edit(new ListText(part, "keys", listener)));
}

/** Where a key stands among all entries of `keys:`. */
function entryIndex({ keys, keyDirectories }: TcpListenerConfig, key: KeyConfig): number {
  return [...keys, ...keyDirectories]
    .filter(({ at }) =>
      at.line < key.at.line || at.line === key.at.line && at.column < key.at.column
    ).length;
}

/** The TCP listeners of a configuration, or the one of an address. */
export function tcpListeners(config: Config, address: string | null): readonly FoundListener[] {
  return (config.listeners ?? []).flatMap((listener, index) =>
    listener.kind === "tcp" && (address === null || isAt(listener, address))
      ? [{ index, listener }]
      : []
  );
}

function isAt(listener: TcpListenerConfig, address: string): boolean {
  const named = parseAddress(address.replace(/^tcp:/, ""));
  return named !== null &&
    listenerAddress(listener) === listenerAddress({ kind: "tcp", ...named });
}

function requireTcpListener(config: Config, address: string | null): FoundListener {
  const found = tcpListeners(config, address);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    const flags = found.map(({ listener }) => `--listener ${shellWord(hostPortText(listener))}`);
    throw invalid(
      `There are ${found.length} TCP listeners: which one is meant?`,
      flags.join(" or "),
    );
  }
  const what = address === null ? "no TCP listener" : `no TCP listener ${address}`;
  const others = tcpListeners(config, null).map(({ listener }) => hostPortText(listener));
  const near = address === null ? "" : didYouMean(address.replace(/^tcp:/, ""), others);
  throw new Failure(`There is ${what} in ${config.path ?? "the configuration"}${near}`, {
    exit: ExitCode.data,
    hint: "add to listeners: - { tcp: HOST:PORT, keys: [{ file: FILE, user: NAME }] }",
  });
}

/** The listeners of a configuration, one of them with other keys. */
function withKeys(
  config: Config,
  index: number,
  keys: readonly Omit<KeyConfig, "at">[],
): { readonly listeners: unknown } {
  const { listeners } = configValues(config) as { listeners: Record<string, unknown>[] };
  const { keyDirectories } = config.listeners![index] as TcpListenerConfig;
  const values = keysValues({ keys: keys as readonly KeyConfig[], keyDirectories });
  return { listeners: listeners.with(index, { ...listeners[index], keys: values }) };
}
