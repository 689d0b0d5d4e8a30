/**
 * The keys of a TCP listener, never older than the configuration and the files on disk.
 *
 * @module
 */
import { WatchedKey } from "./watched_key.ts";
import { listenerAddress } from "../net/address.ts";
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, KeyConfig, TcpListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { KeyGrant } from "../policy/types.ts";

/** Finds keys by their ids. */
export class KeyRing {
  readonly #source: LiveConfig;
  readonly #address: string;
  #pinned: boolean;
  /** What the configuration of {@linkcode #seen} says, or the last one that has said anything. */
  #configured: readonly KeyConfig[];
  #seen: Config | null = null;
  readonly #ownUid: number;
  readonly #files = new Map<string, WatchedKey>();
  #keys: readonly KeyConfig[] = [];
  #byId = new Map<string, { readonly file: WatchedKey; readonly grant: KeyGrant }>();

  /**
   * @param source The configuration, whose listener of the same address says which keys there are.
   * @param listener The listener as it was opened: its keys count where the configuration has none.
   * @param ownUid Who reads the files.
   */
  constructor(source: LiveConfig, listener: TcpListenerConfig, ownUid: number) {
    this.#source = source;
    this.#address = listenerAddress(listener);
    this.#pinned = listener.pinned ?? false;
    this.#configured = listener.keys;
    this.#ownUid = ownUid;
  }

  /** Takes another configuration of the listener: a line of the file may replace a key that nobody had named. */
  reconfigure(listener: TcpListenerConfig): void {
    this.#pinned = listener.pinned ?? false;
    this.#configured = listener.keys;
    this.#seen = null;
  }

  /**
   * Looks at the files. Costs one `statx` a key when nothing has changed. The configuration has to have
   * been refreshed just before.
   *
   * @returns What has become unusable since the last time.
   */
  refresh(): readonly Failure[] {
    this.#lookUp();
    const keys = this.#configured;
    let stale = keys !== this.#keys;
    this.#keys = keys;
    if (stale) this.#forgetOthers(new Set(keys.map(({ file }) => file)));
    const failures: Failure[] = [];
    for (const { file: path } of keys) {
      let file = this.#files.get(path);
      if (file === undefined) this.#files.set(path, file = new WatchedKey(path, this.#ownUid));
      const before = file.key;
      const failure = file.refresh();
      if (failure !== null) failures.push(failure);
      stale ||= file.key !== before;
    }
    if (stale) failures.push(...this.#index());
    return failures;
  }

  /** The key of an id, or null when there is none. Not to be changed, nor kept. */
  key(id: string): Uint8Array | null {
    return this.#byId.get(id)?.file.key ?? null;
  }

  /** What the configuration says of the key of an id, or null when it names none. */
  grant(id: string): KeyGrant | null {
    return this.#byId.get(id)?.grant ?? null;
  }

  /** Whether there is any key that opens. */
  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  /** Forgets all keys. */
  wipe(): void {
    for (const file of this.#files.values()) file.wipe();
    this.#byId.clear();
  }

  #lookUp(): void {
    const { config } = this.#source;
    if (this.#pinned || config === this.#seen) return;
    this.#seen = config;
    const current = config.listeners?.find((one) => listenerAddress(one) === this.#address);
    if (current?.kind === "tcp") this.#configured = current.keys;
  }

  #forgetOthers(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) continue;
      file.wipe();
      this.#files.delete(path);
    }
  }

  #index(): Failure[] {
    const failures: Failure[] = [];
    this.#byId = new Map();
    for (const { file: path, user, notAfter, at } of this.#keys) {
      const file = this.#files.get(path);
      if (!file?.id) continue;
      const known = this.#byId.get(file.id);
      if (known === undefined) this.#byId.set(file.id, { file, grant: { user, notAfter, at } });
      else if (known.grant.user !== user) {
        // Whose it is could not be told from the key, so the first one it was given to keeps it.
        failures.push(
          new Failure(`The key ${file.id} in ${path} is ${known.grant.user ?? "a trusted one"}'s`, {
            exit: ExitCode.config,
            hint: `ipcauth gen-key --force ${path}`,
          }),
        );
      }
    }
    return failures;
  }
}
