/**
 * The keys of a TCP listener, never older than the configuration and the key files.
 *
 * @module
 */
import { KeyDirectories } from "./key_directories.ts";
import { WatchedKey } from "./watched_key.ts";
import { listenerAddress } from "../net/address.ts";
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, KeyConfig, TcpListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { KeyGrant } from "../policy/types.ts";

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
  #configured: readonly KeyConfig[];
  /** The configuration that {@linkcode #configured} was last compared with. */
  #lastConfig: Config | null = null;
  readonly #ownUid: number;
  readonly #files = new Map<string, WatchedKey>();
  readonly #directories = new KeyDirectories();
  /** The files that each refresh looks at. */
  #restless: readonly WatchedKey[] = [];
  #keys: readonly KeyConfig[] = [];
  #wait = 0;
  #elsewhere: (id: string) => KeyGrant | null = () => null;
  #byId = new Map<string, { readonly file: WatchedKey; readonly grant: KeyGrant }>();

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
    this.#configured = listener.keys;
    this.#ownUid = ownUid;
  }

  /**
   * Takes another configuration of the listener, such as one whose keys are named by the file
   * instead of found at a default path.
   */
  reconfigure(listener: TcpListenerConfig): void {
    this.#isPinned = listener.pinned ?? false;
    this.#configured = listener.keys;
    this.#lastConfig = null;
  }

  /**
   * Reads the key files that may have changed. An unchanged file costs one `statx(2)`. The
   * configuration has to have been refreshed just before.
   *
   * @returns A failure for each key that has become unusable since the last call.
   */
  refresh(): readonly Failure[] {
    this.#updateConfigured();
    const keys = this.#configured;
    let stale = keys !== this.#keys;
    this.#keys = keys;
    if (stale) {
      const paths = new Set(keys.map(({ file }) => file));
      this.#forgetOthers(paths);
      this.#directories.set([...paths]);
    }
    const failures: Failure[] = [];
    this.#wait = 0;
    for (const { file: path } of keys) {
      const file = this.#fileOf(path);
      const before = file.key;
      const failure = file.refresh();
      if (failure !== null) failures.push(failure);
      this.#wait = Math.max(this.#wait, file.wait);
      stale ||= file.key !== before;
    }
    this.#restless = [...this.#files.values()].filter((file) => file.isRestless);
    return stale ? failures.concat(this.#index()) : failures;
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
    this.#updateConfigured();
    if (this.#configured !== this.#keys || this.#directories.hasChanged()) return this.refresh();
    const claimed = this.#byId.get(id)?.file ?? this.#anyFile(id);
    const isRestless = claimed !== undefined && this.#restless.includes(claimed);
    this.#wait = 0;
    const failures: Failure[] = [];
    let isStale = false;
    const look = (file: WatchedKey): void => {
      const before = file.key;
      const failure = file.refresh();
      if (failure !== null) failures.push(failure);
      this.#wait = Math.max(this.#wait, file.wait);
      isStale ||= file.key !== before;
    };
    this.#restless.forEach(look);
    if (claimed !== undefined && !isRestless) {
      look(claimed);
      if (claimed.isRestless) this.#restless = [...this.#restless, claimed];
    }
    return isStale ? failures.concat(this.#index()) : failures;
  }

  /** A file for an id that none has: an unknown id costs what a known one does. */
  #anyFile(id: string): WatchedKey | undefined {
    const { file } = this.#keys[parseInt(id.slice(0, 8), 16) % this.#keys.length] ?? {};
    return file === undefined ? undefined : this.#files.get(file);
  }

  /**
   * The same for the key of an id alone: the others' files are not looked at. All of them are where
   * the configuration or that key's file has changed, because the id may be in another file now.
   */
  refreshKey(id: string): readonly Failure[] {
    this.#updateConfigured();
    const known = this.#byId.get(id)?.file;
    const isCurrent = this.#configured === this.#keys && known !== undefined;
    if (!isCurrent) return this.refresh();
    const before = known.key;
    const failure = known.refresh();
    this.#wait = known.wait;
    if (known.isRestless && !this.#restless.includes(known)) {
      this.#restless = [...this.#restless, known];
    }
    const failures = failure === null ? [] : [failure];
    return known.key === before ? failures : [...failures, ...this.#index()];
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
    return known === undefined ? this.hasUnreadable : known.file.isUnreadable;
  }

  /** Whether any key file cannot be read at the moment. */
  get hasUnreadable(): boolean {
    return this.#restless.some((file) => file.isUnreadable);
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

  #updateConfigured(): void {
    const { config } = this.#liveConfig;
    if (this.#isPinned || config === this.#lastConfig) return;
    this.#lastConfig = config;
    const current = config.listeners?.find((one) => listenerAddress(one) === this.#address);
    if (current?.kind === "tcp") this.#configured = current.keys;
  }

  #fileOf(path: string): WatchedKey {
    let file = this.#files.get(path);
    if (file === undefined) {
      file = new WatchedKey(path, this.#ownUid, this.#liveConfig.reserve);
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
    for (const { file: path, user, notAfter, at } of this.#keys) {
      const file = this.#files.get(path);
      if (!file?.id) continue;
      const known = this.#byId.get(file.id)?.grant;
      if (known === undefined) this.#byId.set(file.id, { file, grant: { user, notAfter, at } });
      else if (known.user !== user || known.notAfter !== notAfter) {
        ambiguous.add(file.id);
        failures.push(ambiguousKey(file.id, path, user, known));
      }
    }
    for (const id of ambiguous) this.#byId.delete(id);
    return failures;
  }
}

function ambiguousKey(id: string, path: string, user: string | null, known: KeyGrant): Failure {
  const of = known.user === null ? "of a trusted client" : `of ${known.user}`;
  const what = known.user === user ? "with another not_after" : of;
  return new Failure(
    `The key ${id} in ${path} is also in the file of line ${known.at.line}, ${what}, ` +
      "so it is refused",
    {
      exit: ExitCode.config,
      hint: "ipcauth gen-key FILE, and name that file in one of the two entries",
    },
  );
}
