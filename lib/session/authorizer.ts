/**
 * The policy, asked with a configuration that is never older than the file on disk.
 *
 * @module
 */
import { findListener } from "../net/address.ts";
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { decide, decideKeyed } from "../policy/decide.ts";
import {
  type AllowList,
  type Decision,
  type HostFacts,
  type KeyedPeer,
  type KeyGrant,
  type Occupancy,
  type UnixPeer,
  UNLIMITED,
} from "../policy/types.ts";
import type { UserNames } from "./user_names.ts";
import type { Session, SessionTable } from "./session_table.ts";

/** Decides about peers, and again about those who are in. */
export class Authorizer {
  readonly #source: LiveConfig;
  readonly #hostFacts: HostFacts;
  readonly #sessions: SessionTable;
  readonly #names: UserNames;
  /** The lists in force, as far as they were looked up in the configuration of {@linkcode #listsOf}. */
  readonly #lists = new Map<ListenerConfig, AllowList | null>();
  #listsOf: Config | null = null;

  constructor(source: LiveConfig, hostFacts: HostFacts, sessions: SessionTable, names: UserNames) {
    this.#source = source;
    this.#hostFacts = hostFacts;
    this.#sessions = sessions;
    this.#names = names;
  }

  /** Decides about a newcomer. The configuration has to have been refreshed just before. */
  authorize(peer: UnixPeer, listener: ListenerConfig): Decision {
    const { access } = this.#source.config;
    const allow = this.#allowOf(listener);
    const occupancy = this.#occupancy(peer.credentials?.uid);
    return decide(peer, access, allow, this.#hostFacts, occupancy);
  }

  /** Decides about a newcomer who has shown a key. Configuration and keys have been refreshed just before. */
  authorizeKeyed(
    grant: KeyGrant | null,
    actsAs: string | null,
    listener: ListenerConfig,
  ): Decision {
    const { access } = this.#source.config;
    const name = grant?.user ?? actsAs;
    // A trusted key that names nobody is counted with root.
    const uid = name === null ? 0 : access.usersByName.get(name)?.uid;
    return this.#decideKeyed(grant, actsAs, listener, this.#occupancy(uid));
  }

  /** Decides about someone who is in, as if there were always room. */
  reauthorize({ facts: { origin, config } }: Session): Decision {
    if (origin.kind === "tcp") {
      return this.#decideKeyed(origin.ring.grant(origin.keyId), origin.actsAs, config, UNLIMITED);
    }
    const { access } = this.#source.config;
    return decide(origin.peer, access, this.#allowOf(config), this.#hostFacts, UNLIMITED);
  }

  #decideKeyed(
    grant: KeyGrant | null,
    actsAs: string | null,
    listener: ListenerConfig,
    occupancy: Occupancy,
  ): Decision {
    const { config } = this.#source;
    const allow = this.#allowOf(listener);
    const user = config.access.usersByName.get(grant?.user ?? actsAs ?? "");
    // The name service may be slow, so it is asked only where a rule wants to know.
    const groups = user === undefined || !allow?.gids.size ? [] : this.#names.groupsOf(user.uid);
    const peer: KeyedPeer = { grant, actsAs, groups };
    return decideKeyed(peer, config.access, allow, Date.now(), occupancy);
  }

  #occupancy(uid: number | undefined): Occupancy {
    const { limits } = this.#source.config;
    return {
      connections: this.#sessions.size,
      maxConnections: limits.maxConnections,
      connectionsOfUser: uid === undefined ? Infinity : this.#sessions.countByUid(uid),
      maxConnectionsPerUser: limits.maxConnectionsPerUser,
    };
  }

  /**
   * The `allow:` list that is in force for a listener now, however the file spells its address. One that is not in the
   * file (any more) keeps the list it had.
   */
  #allowOf(listener: ListenerConfig): AllowList | null {
    const { config } = this.#source;
    if (config !== this.#listsOf) {
      this.#listsOf = config;
      this.#lists.clear();
    }
    let allow = this.#lists.get(listener);
    if (allow === undefined) {
      allow = (findListener(config.listeners ?? [], listener) ?? listener).allow;
      this.#lists.set(listener, allow);
    }
    return allow;
  }
}
