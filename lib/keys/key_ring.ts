/**
 * The keys of a TCP listener, never older than the configuration and the key files.
 *
 * @module
 */
import { KeyDirectories } from "./key_directories.ts";
import { keyConflict } from "./key_conflict.ts";
import { type DirectoryEntry, unknownKeyUser } from "./key_directory.ts";
import { WatchedEnd } from "./watched_end.ts";
import { WatchedKey } from "./watched_key.ts";
import { WatchedKeyDirectory } from "./watched_key_directory.ts";
import { listenerAddress } from "../net/address.ts";
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, KeyConfig, TcpListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { KeyGrant } from "../policy/types.ts";

/**
 * The retry interval of a file in a directory of keys, in milliseconds: all of many may be bad, and
 * the directory is watched with its path.
 */
const DIRECTORY_RETRY_MS = 10_000;

/** How often the directories of keys are listed in one refresh while they change. */
const MAX_LISTS = 3;

/** A key file, and what the configuration or the directory of the file says of it. */
interface RingKey extends KeyConfig {
  /** The file with its end, of a key in a directory; else null. */
  readonly end: string | null;
  readonly isInDirectory: boolean;
}

/** A file that is watched. */
type WatchedFile = WatchedKey | WatchedEnd;

/**
 * Finds the keys of one TCP listener by their ids.
 *
 * @example
 * ```ts
 * const ring = new KeyRing(liveConfig, listener, effectiveUid());
 * // Before each handshake:
 * liveConfig.refresh();
 * ring.refresh().forEach((failure) => log.error(failure));
 * const key = ring.key("15c8cbd1a1833508");
 * ```
 */
export class KeyRing {
  readonly #liveConfig: LiveConfig;
  readonly #address: string;
  #isPinned: boolean;
  /** The keys of the last configuration that had this listener. */
  #configured: Pick<TcpListenerConfig, "keys" | "keyDirectories">;
  /** The configuration that {@linkcode #configured} was last compared with. */
  #lastConfig: Config | null = null;
  readonly #ownUid: number;
  readonly #files = new Map<string, WatchedKey>();
  readonly #ends = new Map<string, WatchedEnd>();
  readonly #lists = new Map<string, WatchedKeyDirectory>();
  readonly #directories = new KeyDirectories();
  /** The files that each refresh looks at. */
  #restless: readonly WatchedFile[] = [];
  /** What {@linkcode #keys} was made of. */
  #sources: readonly unknown[] = [];
  #keys: readonly RingKey[] = [];
  /** The keys that stand for that of an unknown id, and those of them with an end in a file. */
  #known: readonly RingEntry[] = [];
  #ended: readonly RingEntry[] = [];
  #wait = 0;
  #elsewhere: (id: string) => KeyGrant | null = () => null;
  #byId = new Map<string, RingEntry>();
  /** The failures that keep no server from starting. */
  readonly #tolerated = new WeakSet<Failure>();
  /** The keys of users that are not configured, which have been reported. */
  #unknown: ReadonlySet<string> = new Set();
  /** The messages about keys that two files grant in different ways, which have been reported. */
  #conflicts: ReadonlySet<string> = new Set();

  /**
   * @param liveConfig The configuration. Its listener of the same address names the keys.
   * @param listener The listener as it was opened. Its keys hold where the configuration has no
   * such listener, and where they are pinned.
   * @param ownUid The uid that may own a key file, beside root.
   */
  constructor(liveConfig: LiveConfig, listener: TcpListenerConfig, ownUid: number) {
    this.#liveConfig = liveConfig;
    this.#address = listenerAddress(listener);
    this.#isPinned = listener.pinned ?? false;
    this.#configured = listener;
    this.#ownUid = ownUid;
  }

  /**
   * Takes another configuration of the listener, such as one whose keys are named by the file
   * instead of found at a default path.
   */
  reconfigure(listener: TcpListenerConfig): void {
    this.#isPinned = listener.pinned ?? false;
    this.#configured = listener;
    this.#lastConfig = null;
  }

  /**
   * Reads the key files that may have changed. An unchanged file costs one `statx(2)`. The
   * configuration has to have been refreshed just before.
   *
   * @returns A failure for each key that has become unusable since the last call.
   */
  refresh(): readonly Failure[] {
    const hasChanged = this.#updateConfigured();
    const failures = this.#list();
    let isStale = hasChanged;
    // A file that comes after the list was made and before its directory is watched is listed, too.
    for (let round = 0; round < MAX_LISTS && this.#take(); round++) {
      isStale = true;
      failures.push(...this.#list());
    }
    this.#wait = 0;
    for (const { file, end, isInDirectory } of this.#keys) {
      isStale = this.#look(this.#fileOf(file, isInDirectory), failures, isInDirectory) || isStale;
      if (end !== null) isStale = this.#look(this.#endOf(end), failures, true) || isStale;
    }
    this.#restless = [
      ...this.#keys.flatMap(({ file: path, isInDirectory }) => {
        const file = this.#fileOf(path, isInDirectory);
        // Of many files in a directory, all may be bad. The watch of the directory is enough.
        return file.isRestless && !(isInDirectory && file.isRefusedAtRest) ? [file] : [];
      }),
      ...[...this.#ends.values()].filter((end) => end.isRestless),
    ];
    return isStale ? failures.concat(this.#index()) : failures;
  }

  /**
   * The same for a client that claims the key of an id, at a cost that does not grow with the
   * number of keys: that key's file is looked at, or another one where no file has the id, and the
   * directories of all. All files are read where one of those has changed.
   *
   * A key that is no longer in its file is refused at once on every file system. A key that is put
   * into a file in place, where the kernel does not say so, is found by the next {@linkcode
   * refresh}.
   */
  refreshClaimed(id: string): readonly Failure[] {
    if (this.#updateConfigured() || this.#directories.hasChanged()) return this.refresh();
    return this.#lookAt([...this.#restless, ...this.#claimedFiles(id)]);
  }

  /** Refreshes some files. @returns As {@linkcode refresh}. */
  #lookAt(files: readonly WatchedFile[]): readonly Failure[] {
    this.#wait = 0;
    const failures: Failure[] = [];
    let isStale = false;
    for (const file of new Set(files)) {
      isStale = this.#look(file, failures, true) || isStale;
      const isListed = this.#restless.includes(file);
      if (file.isRestless && !isListed) this.#restless = [...this.#restless, file];
    }
    return isStale ? failures.concat(this.#index()) : failures;
  }

  /**
   * The files that say what an id means: its key file, and one with an end. Others stand for those
   * that it does not have: an unknown id costs what a known one does.
   */
  #claimedFiles(id: string): WatchedFile[] {
    const entry = this.#byId.get(id);
    const number = parseInt(id.slice(0, 8), 16);
    const file = entry?.file ?? this.#known[number % this.#known.length]?.file;
    const end = entry?.end ?? this.#ended[number % this.#ended.length]?.end;
    return [...file ? [file] : [], ...end ? [end] : []];
  }

  /**
   * The same for the key of an id alone: the others' files are not looked at. All of them are where
   * the configuration or that key's file has changed, because the id may be in another file now.
   */
  refreshKey(id: string): readonly Failure[] {
    const hasChanged = this.#updateConfigured();
    const known = this.#byId.get(id);
    // A file with an end may have come to a key that had none.
    if (hasChanged || known === undefined || this.#isListed(known)) return this.refresh();
    return this.#lookAt(known.end === null ? [known.file] : [known.file, known.end]);
  }

  /**
   * How many milliseconds after the last {@linkcode refresh} or {@linkcode refreshKey} it is to be
   * called again, because a file is being written; 0 where the keys are the ones to decide by.
   */
  get wait(): number {
    return this.#wait;
  }

  /** The key of an id, 32 bytes, or null when there is none. Not to be changed, nor kept. */
  key(id: string): Uint8Array | null {
    return this.#byId.get(id)?.file.key ?? null;
  }

  /**
   * Whether the file of a key cannot be read at the moment: it may hold another key by now. An id
   * that no file has may be in one of those.
   */
  isUnreadable(id: string): boolean {
    const known = this.#byId.get(id);
    if (known === undefined) return this.hasUnreadable;
    return known.file.isUnreadable || known.end?.isUnreadable === true || this.#hasUnreadableList;
  }

  /** Whether any key file cannot be read at the moment. */
  get hasUnreadable(): boolean {
    return this.#restless.some((file) => file.isUnreadable) || this.#hasUnreadableList;
  }

  get #hasUnreadableList(): boolean {
    return this.#lists.values().some((list) => list.isUnreadable);
  }

  /** Whether a failure keeps no server from starting: it is about a file of a directory. */
  isTolerated(failure: Failure): boolean {
    return this.#tolerated.has(failure);
  }

  /** The user and the end of the key of an id, or null when the configuration names no such key. */
  grant(id: string): KeyGrant | null {
    return this.#elsewhere(id) ?? this.#byId.get(id)?.grant ?? null;
  }

  /**
   * The listener is closed. Its sessions go on, by what the other listeners say of their keys.
   *
   * @param elsewhere Finds what another listener says; null where none names the key.
   */
  retire(elsewhere: (id: string) => KeyGrant | null): void {
    this.#elsewhere = elsewhere;
  }

  /** Overwrites and forgets all keys. */
  wipe(): void {
    for (const file of this.#files.values()) file.wipe();
    this.#directories.close();
    this.#byId.clear();
  }

  /** @returns Whether the configuration is another one. */
  #updateConfigured(): boolean {
    const { config } = this.#liveConfig;
    if (config === this.#lastConfig) return false;
    this.#lastConfig = config;
    if (this.#isPinned) return true;
    const current = config.listeners?.find((one) => listenerAddress(one) === this.#address);
    if (current?.kind === "tcp") this.#configured = current;
    return true;
  }

  /** Lists the directories of keys. */
  #list(): Failure[] {
    const { keyDirectories } = this.#configured;
    const paths = new Set(keyDirectories.map(({ directory }) => directory));
    for (const path of this.#lists.keys()) if (!paths.has(path)) this.#lists.delete(path);
    return [...paths].flatMap((path) => {
      let list = this.#lists.get(path);
      if (list === undefined) {
        list = new WatchedKeyDirectory(path, this.#ownUid, this.#liveConfig.reserve);
        this.#lists.set(path, list);
      }
      return list.refresh() ?? [];
    });
  }

  /** Whether a key is one of a directory that is listed again before a request. */
  #isListed({ isInDirectory }: RingEntry): boolean {
    return isInDirectory && this.#directories.hasChanged();
  }

  /** Takes the keys of the configuration and of its directories. @returns Whether they differ. */
  #take(): boolean {
    const { keys, keyDirectories } = this.#configured;
    const listed = keyDirectories.map(({ directory }) => this.#lists.get(directory)!.keys);
    const sources = [keys, keyDirectories, ...listed];
    const isSame = sources.length === this.#sources.length &&
      sources.every((one, index) => one === this.#sources[index]);
    if (isSame) return false;
    this.#sources = sources;
    this.#keys = [
      ...keys.map((key) => ({ ...key, end: null, isInDirectory: false })),
      ...keyDirectories.flatMap(({ at }, index) =>
        listed[index]!.map((key: DirectoryEntry) => ({
          ...key,
          notAfter: null,
          at,
          isInDirectory: true,
        }))
      ),
    ];
    const files = new Set(this.#keys.map(({ file }) => file));
    const ends = new Set(this.#keys.flatMap(({ end }) => end ?? []));
    this.#forgetOthers(files);
    for (const path of this.#ends.keys()) if (!ends.has(path)) this.#ends.delete(path);
    const directories = keyDirectories.map(({ directory }) => directory);
    this.#directories.set([...files, ...ends], directories);
    return true;
  }

  /** Refreshes a file. @returns Whether it says something else now. */
  #look(file: WatchedFile, failures: Failure[], isTolerated: boolean): boolean {
    const before = file instanceof WatchedKey ? file.key : file.time;
    const failure = file.refresh();
    if (failure !== null) {
      failures.push(failure);
      if (isTolerated) this.#tolerated.add(failure);
    }
    this.#wait = Math.max(this.#wait, file.wait);
    return (file instanceof WatchedKey ? file.key : file.time) !== before;
  }

  #endOf(path: string): WatchedEnd {
    let end = this.#ends.get(path);
    if (end === undefined) {
      end = new WatchedEnd(path, this.#ownUid, this.#liveConfig.reserve);
      this.#ends.set(path, end);
    }
    return end;
  }

  #fileOf(path: string, isInDirectory: boolean): WatchedKey {
    let file = this.#files.get(path);
    if (file === undefined) {
      const interval = isInDirectory ? DIRECTORY_RETRY_MS : undefined;
      file = new WatchedKey(path, this.#ownUid, this.#liveConfig.reserve, interval);
      this.#files.set(path, file);
    }
    return file;
  }

  #forgetOthers(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) continue;
      file.wipe();
      this.#files.delete(path);
    }
  }

  /** Finds the keys of all files. A key that two files grant in different ways is none at all. */
  #index(): Failure[] {
    const failures: Failure[] = [];
    const ambiguous = new Set<string>();
    this.#byId = new Map();
    const unknown = new Set<string>();
    const conflicts = new Set<string>();
    for (const key of this.#keys) {
      const { file: path, user, at, isInDirectory } = key;
      const file = this.#files.get(path);
      if (!file?.id) continue;
      if (isInDirectory && !this.#isConfigured(user!)) {
        // The policy refuses it as one of a user that no longer exists.
        unknown.add(path);
        if (!this.#unknown.has(path)) {
          const failure = unknownKeyUser({ file: path, user: user! }, this.#liveConfig.config.path);
          failures.push(failure);
          this.#tolerated.add(failure);
        }
      }
      const end = key.end === null ? null : this.#endOf(key.end);
      const notAfter = end === null ? key.notAfter : end.time;
      const known = this.#byId.get(file.id)?.grant;
      const grant = { user, notAfter, at };
      if (known === undefined) this.#byId.set(file.id, { file, end, grant, isInDirectory });
      else if (known.user !== user || known.notAfter !== notAfter) {
        ambiguous.add(file.id);
        const failure = ambiguousKey(key, this.#byId.get(file.id)!);
        conflicts.add(failure.message);
        if (this.#conflicts.has(failure.message)) continue;
        failures.push(failure);
        if (isInDirectory) this.#tolerated.add(failure);
      }
    }
    this.#unknown = unknown;
    this.#conflicts = conflicts;
    for (const id of ambiguous) this.#byId.delete(id);
    this.#known = [...this.#byId.values()];
    this.#ended = this.#known.filter(({ end }) => end !== null);
    return failures;
  }

  #isConfigured(user: string): boolean {
    return this.#liveConfig.config.access.usersByName.has(user);
  }
}

/** A key that a client may claim. */
interface RingEntry {
  readonly file: WatchedKey;
  readonly end: WatchedEnd | null;
  readonly grant: KeyGrant;
  readonly isInDirectory: boolean;
}

/** The failure of a key that another file holds, too. */
function ambiguousKey(key: RingKey, { file: { path, id }, grant: { user } }: RingEntry): Failure {
  const { what, hint } = keyConflict(id!, key, { file: path, user }, null);
  return new Failure(`The ${what}, so it is refused`, { exit: ExitCode.config, hint });
}
