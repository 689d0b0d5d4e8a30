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

/**
 * Selects the listeners of each configuration.
 *
 * Removing a line from the file never allows a client: where a line has narrowed or replaced what
 * would be served without it, its address is not served without it, until the line returns or the
 * server restarts. A reload never falls back to the default listener: the lines of the others may
 * be about to be written.
 */
export class ListenerSelection {
  readonly #flags: ListenerFlags;
  readonly #environment: Environment;
  readonly #inherited: readonly InheritedAddress[];
  /** Addresses that are served only where a line of the file names them. */
  #fileOnly: ReadonlySet<string> = new Set();
  #current: readonly ListenerConfig[] | null = null;

  /** @param inherited The addresses of the sockets that a service manager opened. */
  constructor(
    flags: ListenerFlags,
    environment: Environment,
    inherited: readonly InheritedAddress[],
  ) {
    this.#flags = flags;
    this.#environment = environment;
    this.#inherited = inherited;
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
    const chosen = chooseListeners(...sources, this.#fileOnly);
    if (this.#current !== null) this.#refuseDefault(chosen, config, this.#current);
    const unserved = this.#inherited.filter((one) => !findListener(chosen, one));
    const addresses = [...config.listeners ?? [], ...unserved].map(listenerAddress);
    this.#fileOnly = new Set([...this.#fileOnly, ...addresses]);
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
