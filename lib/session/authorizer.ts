/**
 * Asks the policy about connections and sessions, with a configuration that is never older than the
 * file.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { findListener } from "../net/address.ts";
import { decide, decideKeyed } from "../policy/decide.ts";
import { isSameIdentity } from "../policy/same_identity.ts";
import type {
  AllowList,
  Decision,
  HostFacts,
  KeyedPeer,
  KeyGrant,
  Occupancy,
  RevokeReason,
  UnixDecision,
  UnixPeer,
} from "../policy/types.ts";
import { UNLIMITED } from "../policy/types.ts";
import type { Session } from "./session.ts";
import type { SessionTable } from "./session_table.ts";
import type { UserNames } from "./user_names.ts";

/**
 * How many sessions trusted peers may have above `max_connections`, and as many again on consoles:
 * root's own sessions of another service leave a place from which the others can be closed.
 */
const RESERVED_CONNECTIONS = 4;

/**
 * Authorizes connections, and open sessions again.
 *
 * @example
 * ```ts
 * context.refreshConfig();
 * const decision = authorizer.authorizeUnix(readPeer(connection), listener);
 * if (!decision.allow) logDeny(decision.reason);
 * ```
 */
export class Authorizer {
  readonly #liveConfig: LiveConfig;
  readonly #hostFacts: HostFacts;
  readonly #sessions: SessionTable;
  readonly #names: UserNames;
  /** The `allow` lists in force, as far as they were looked up in {@linkcode #allowListsOf}. */
  readonly #allowLists = new Map<ListenerConfig, AllowList | null>();
  #allowListsOf: Config | null = null;

  constructor(
    liveConfig: LiveConfig,
    hostFacts: HostFacts,
    sessions: SessionTable,
    names: UserNames,
  ) {
    this.#liveConfig = liveConfig;
    this.#hostFacts = hostFacts;
    this.#sessions = sessions;
    this.#names = names;
  }

  /**
   * Authorizes a connection on a Unix socket. The configuration must have been refreshed just
   * before.
   */
  authorizeUnix(peer: UnixPeer, listener: ListenerConfig): UnixDecision {
    const { access } = this.#liveConfig.config;
    const allow = this.#allowListOf(listener);
    const occupancy = this.#occupancy(peer.credentials?.uid, listener);
    return decide(peer, access, allow, this.#hostFacts, occupancy);
  }

  /**
   * Authorizes a connection whose client holds a key. Configuration and keys must have been
   * refreshed just before.
   *
   * @param grant What the configuration says of the key, or null where it does not name it.
   * @param actsAs The user that the client asks to act as, or null.
   */
  authorizeKeyed(
    grant: KeyGrant | null,
    actsAs: string | null,
    listener: ListenerConfig,
  ): Decision {
    const { access } = this.#liveConfig.config;
    const name = grant?.user ?? actsAs;
    // A trusted key without a user counts against uid 0's connection limit.
    const uid = name === null ? 0 : access.usersByName.get(name)?.uid;
    return this.#decideKeyed(grant, actsAs, listener, this.#occupancy(uid, listener));
  }

  /**
   * Authorizes an open session again. It has its place: limits do not apply again.
   *
   * @returns Why the session may not go on, or null where its peer would be let in now with the
   * identity that it has.
   */
  revocationOf(session: Session): RevokeReason | null {
    const decision = this.#reauthorize(session);
    if (!decision.allow) return decision.reason;
    const isSame = isSameIdentity(session.facts.identity, decision.identity);
    return isSame ? null : "identity-changed";
  }

  #reauthorize({ facts: { origin, config } }: Session): Decision {
    if (origin.kind === "tcp") {
      const grant = origin.ring.grant(origin.keyId);
      return this.#decideKeyed(grant, origin.actsAs, config, UNLIMITED);
    }
    const { access } = this.#liveConfig.config;
    return decide(origin, access, this.#allowListOf(config), this.#hostFacts, UNLIMITED);
  }

  #decideKeyed(
    grant: KeyGrant | null,
    actsAs: string | null,
    listener: ListenerConfig,
    occupancy: Occupancy,
  ): Decision {
    const { config } = this.#liveConfig;
    const allow = this.#allowListOf(listener);
    const user = config.access.usersByName.get(grant?.user ?? actsAs ?? "");
    // The name service may be slow: it is asked only where the listener's list names groups.
    const groups = user === undefined || !allow?.gids.size ? [] : this.#names.groupsOf(user.uid);
    const peer: KeyedPeer = { grant, actsAs, groups };
    return decideKeyed(peer, config.access, allow, Date.now(), occupancy);
  }

  #occupancy(uid: number | undefined, { service }: ListenerConfig): Occupancy {
    const { limits } = this.#liveConfig.config;
    return {
      connections: this.#sessions.size,
      maxConnections: limits.maxConnections,
      reserved: service.kind === "console" ? 2 * RESERVED_CONNECTIONS : RESERVED_CONNECTIONS,
      connectionsOfUser: uid === undefined ? Infinity : this.#sessions.countByUid(uid),
      maxConnectionsPerUser: limits.maxConnectionsPerUser,
    };
  }

  /**
   * The `allow` list in force for a listener, however the file spells its address. A listener that
   * the file no longer names keeps the list it had.
   */
  #allowListOf(listener: ListenerConfig): AllowList | null {
    const { config } = this.#liveConfig;
    if (config !== this.#allowListsOf) {
      this.#allowListsOf = config;
      this.#allowLists.clear();
    }
    let allow = this.#allowLists.get(listener);
    if (allow === undefined) {
      allow = (findListener(config.listeners ?? [], listener) ?? listener).allow;
      this.#allowLists.set(listener, allow);
    }
    return allow;
  }
}
