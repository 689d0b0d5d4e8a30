/**
 * The listeners of a server as the configuration changes.
 *
 * @module
 */
import { findListener, listenerAddress } from "../net/address.ts";
import type { Environment } from "../config/default_paths.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import type { InheritedAddress } from "../libc/inherited_sockets.ts";
import { chooseListeners, type ListenerFlags, requireClaims } from "./choose_listeners.ts";

/**
 * Which listeners there are now.
 *
 * Taking a line out of the file never lets anybody in: where a line has narrowed or replaced what would be served
 * without it, nothing is served without it, until there is one again or the server is started anew.
 */
export class ListenerSelection {
  readonly #flags: ListenerFlags;
  readonly #environment: Environment;
  readonly #open: readonly InheritedAddress[];
  /** Addresses that are served only where a line of the file says so. */
  #ruled: ReadonlySet<string> = new Set();
  #current: readonly ListenerConfig[] | null = null;

  /** @param open Sockets that were opened for us. */
  constructor(flags: ListenerFlags, environment: Environment, open: readonly InheritedAddress[]) {
    this.#flags = flags;
    this.#environment = environment;
    this.#open = open;
  }

  /** The listeners of the configuration that was followed last. */
  get current(): readonly ListenerConfig[] {
    return this.#current ?? [];
  }

  /**
   * Chooses the listeners of a configuration that is about to be in force.
   *
   * @throws {Failure} When they cannot be chosen: nothing has changed then. At the first time also when nobody says
   * what a socket is for that was opened for us; later such a socket is left out, as it is when its line is removed.
   */
  select(config: Config): void {
    const said = [this.#flags, config, this.#environment, this.#open] as const;
    if (this.#current === null) requireClaims(...said);
    const chosen = chooseListeners(...said, this.#ruled);
    const left = this.#open.filter((one) => !findListener(chosen, one));
    const ruled = [...config.listeners ?? [], ...left].map(listenerAddress);
    this.#ruled = new Set([...this.#ruled, ...ruled]);
    this.#current = chosen;
  }
}
