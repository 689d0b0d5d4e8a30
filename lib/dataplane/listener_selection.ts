/**
 * The listeners of a server as its configuration changes.
 *
 * @module
 */
import type { Environment } from "../config/default_paths.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { InheritedAddress } from "../libc/inherited_sockets.ts";
import { findListener, listenerAddress } from "../net/address.ts";
import { chooseListeners, type ListenerFlags, requireClaims } from "./choose_listeners.ts";
import type { Sandbox } from "./sandbox.ts";

/**
 * Selects the listeners of each configuration.
 *
 * Removing a line from the file never allows a client: where a line has narrowed or replaced what
 * would be served without it, its address is not served without it, until the line returns or the
 * server restarts. A key of the command line whose entry is removed is a key no more: without the
 * entry it would be a trusted one. A reload never falls back to the default listener: the lines of
 * the others may be about to be written.
 */
export class ListenerSelection {
  readonly #flags: ListenerFlags;
  readonly #environment: Environment;
  readonly #inherited: readonly InheritedAddress[];
  /** Addresses that are served only where a line of the file names them. */
  #fileOnly: ReadonlySet<string> = new Set();
  /** Key files that the file has had an entry for. */
  #enteredKeys: ReadonlySet<string> = new Set();
  readonly #sandbox: Sandbox | null;
  #current: readonly ListenerConfig[] | null = null;

  /**
   * @param inherited The addresses of the sockets that a service manager opened.
   * @param sandbox That of the server, which limits what a configuration may need.
   */
  constructor(
    flags: ListenerFlags,
    environment: Environment,
    inherited: readonly InheritedAddress[],
    sandbox: Sandbox | null = null,
  ) {
    this.#flags = flags;
    this.#environment = environment;
    this.#inherited = inherited;
    this.#sandbox = sandbox;
  }

  /** The listeners of the last configuration that was accepted. */
  get current(): readonly ListenerConfig[] {
    return this.#current ?? [];
  }

  /**
   * Selects the listeners of a configuration that is about to be in force.
   *
   * @throws {Failure} When they cannot be selected; nothing has changed then. The first time, also
   * when no line or flag claims an inherited socket; later such a socket is left out, as when its
   * line is removed. Later, also when the default listener would replace those of the file.
   */
  select(config: Config): void {
    const sources = [this.#flags, config, this.#environment, this.#inherited] as const;
    if (this.#current === null) requireClaims(...sources);
    const entries = keyFilesOf(config);
    const chosen = chooseListeners(...sources, this.#fileOnly)
      .map((listener) => withoutRevoked(listener, entries, this.#enteredKeys));
    if (this.#current !== null) this.#refuseDefault(chosen, config, this.#current);
    this.#sandbox?.requireEnough(config, chosen);
    const unserved = this.#inherited.filter((one) => !findListener(chosen, one));
    const addresses = [...config.listeners ?? [], ...unserved].map(listenerAddress);
    this.#fileOnly = new Set([...this.#fileOnly, ...addresses]);
    this.#enteredKeys = new Set([...this.#enteredKeys, ...entries]);
    this.#current = chosen;
  }

  /** @throws {Failure} 78 when a listener is neither named by a line nor served until now. */
  #refuseDefault(
    chosen: readonly ListenerConfig[],
    { path, listeners }: Config,
    current: readonly ListenerConfig[],
  ): void {
    const known = [...listeners ?? [], ...current, ...this.#inherited];
    const added = chosen.find((one) => !findListener(known, one));
    if (added === undefined) return;
    const address = listenerAddress(added);
    throw new Failure(
      `${path ?? "The configuration"} names no listener any more, ` +
        `and a reload does not fall back to the default one, ${address}`,
      {
        exit: ExitCode.config,
        hint: `add listeners to ${path ?? "it"}, or restart the server to serve ${address}`,
      },
    );
  }
}

/** The key files that a configuration has entries for. */
function keyFilesOf({ listeners }: Config): ReadonlySet<string> {
  const keys = (listeners ?? []).flatMap((one) => one.kind === "tcp" ? one.keys : []);
  return new Set(keys.map(({ file }) => file));
}

/** A listener without the keys of the command line whose entries were removed. */
function withoutRevoked(
  listener: ListenerConfig,
  entries: ReadonlySet<string>,
  entered: ReadonlySet<string>,
): ListenerConfig {
  if (listener.kind === "unix" || listener.pinned !== true) return listener;
  const keys = listener.keys.filter(({ file }) => entries.has(file) || !entered.has(file));
  return { ...listener, keys };
}
