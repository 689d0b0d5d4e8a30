/**
 * Asks the policy about connections and sessions, with a configuration that is never older than the
 * file.
 *
 * @module
 */
import type { LiveConfig } from "../config/live_config.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { findListener } from "../net/address.ts";
import type { ExpiryClock } from "../keys/expiry_clock.ts";
import { decide, decideKeyed } from "../policy/decide.ts";
import { isSameIdentity } from "../policy/same_identity.ts";
import type {
  AccessTable,
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
import type { Admissions, OpenCounts } from "./admissions.ts";
import type { KnownNames } from "../names/known_names.ts";
import type { AccountResult } from "../names/results.ts";
import { type AccessFacts, groupChanges, withGroupChanges } from "../policy/group_changes.ts";
import { type GroupLookup, withAllowedIds, withGroupIds } from "../policy/group_ids.ts";

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
  readonly #admissions: Admissions;
  readonly #names: KnownNames;
  readonly #clock: ExpiryClock;
  /** For new connections: the groups that are known now. */
  readonly #now: KnownAccess;
  /** For open sessions: the groups as they were known last. */
  readonly #last: KnownAccess;

  constructor(
    liveConfig: LiveConfig,
    hostFacts: HostFacts,
    admissions: Admissions,
    names: KnownNames,
    clock: ExpiryClock,
  ) {
    this.#clock = clock;
    this.#liveConfig = liveConfig;
    this.#hostFacts = hostFacts;
    this.#admissions = admissions;
    this.#names = names;
    this.#now = new KnownAccess(names.gidOf);
    this.#last = new KnownAccess(names.lastGidOf);
  }

  /** The known gids of groups have changed. */
  onNamesChanged(): void {
    this.#now.forget();
    this.#last.forget();
  }

  /**
   * Authorizes a connection on a Unix socket. The configuration must have been refreshed just
   * before. An allowed one is admitted: it counts.
   */
  authorizeUnix(peer: UnixPeer, listener: ListenerConfig): UnixDecision {
    const access = this.#now.of(this.#liveConfig.config);
    const { table } = access;
    const allow = access.allowOf(listener);
    return this.#admissions.admit(
      peer.credentials?.uid,
      (open) => decide(peer, table, allow, this.#hostFacts, this.#occupancy(open, listener)),
    );
  }

  /**
   * Authorizes a connection whose client holds a key. Configuration and keys must have been
   * refreshed just before. An allowed one is admitted: it counts.
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
    const allow = this.#now.of(this.#liveConfig.config).allowOf(listener);
    const groups = needsGroups(allow) ? this.#groupsOf(uid) : [];
    const peer: KeyedPeer = { grant, actsAs, groups };
    const now = this.#clock.now();
    return this.#admissions.admit(
      uid,
      (open) => decideKeyed(peer, access, allow, now, this.#occupancy(open, listener)),
    );
  }

  /**
   * Takes what is known of the groups of a session's account, if nothing was known yet. What it
   * leaves and joins from then on is followed.
   */
  followGroups(session: Session): void {
    const { origin, identity } = session.facts;
    if (origin.kind !== "unix" || identity.trusted || session.accountGroups !== null) return;
    const account = this.#names.account(identity.uid);
    if (account !== null) session.accountGroups = allGroups(account);
  }

  /**
   * Authorizes an open session again. It has its place: limits do not apply again.
   *
   * @returns Why the session may not go on, or null where its peer would be let in now with the
   * identity that it has.
   */
  revocationOf(session: Session): RevokeReason | null {
    const decision = this.#reauthorize(session, this.listOf(session.facts.config));
    if (!decision.allow) return decision.reason;
    const isSame = isSameIdentity(session.facts.identity, decision.identity);
    return isSame ? null : "identity-changed";
  }

  /**
   * Whether an open session may not go on for the only reason that the name service has never said
   * something, such as the gid of a group that the file has just named, or the groups of the user
   * of a key: once it has, the session may.
   */
  restsOnFirstAnswer(session: Session): boolean {
    const { origin, config, identity } = session.facts;
    const allow = this.listOf(config);
    const decision = this.#reauthorize(session, allow);
    if (decision.allow || decision.detail === undefined) return false;
    if (decision.reason !== "not-on-listener") {
      // Who was a user of the file, and is none now, would be let in as another one.
      const { groups } = this.#last.of(this.#liveConfig.config).table;
      return identity.user === null &&
        groups.some(({ gid, name }) => gid === null && !this.#names.wasGroupKnown(name));
    }
    const unlisted = this.#reauthorize(session, null);
    if (!unlisted.allow || !isSameIdentity(identity, unlisted.identity)) return false;
    const { gids, unknownGroups } = allow!;
    if (unknownGroups.values().some((name) => !this.#names.wasGroupKnown(name))) return true;
    const isKeyed = origin.kind === "tcp";
    return isKeyed && gids.size > 0 && this.#names.lastAccount(identity.uid) === null;
  }

  /** The list that sessions of a listener have to be on; null for none. */
  listOf(listener: ListenerConfig): AllowList | null {
    return this.#last.of(this.#liveConfig.config).allowOf(listener);
  }

  #reauthorize(session: Session, allow: AllowList | null): Decision {
    const { origin } = session.facts;
    const access = this.#last.of(this.#liveConfig.config);
    if (origin.kind === "unix") {
      const { credentials, groups } = origin;
      const followed = this.#followed(session, { table: access.table, allow });
      return decide(
        { credentials, groups },
        followed.table,
        followed.allow,
        this.#hostFacts,
        UNLIMITED,
      );
    }
    const { ring, keyId, actsAs } = origin;
    const grant = ring.grant(keyId);
    const uid = access.table.usersByName.get(grant?.user ?? actsAs ?? "")?.uid;
    const account = uid === undefined ? null : this.#names.lastAccount(uid);
    const peer: KeyedPeer = { grant, actsAs, groups: account && allGroups(account) };
    return decideKeyed(peer, access.table, allow, this.#clock.now(), UNLIMITED);
  }

  /** What a session on a Unix socket is decided by, with what its account has left and joined. */
  #followed({ accountGroups, facts }: Session, access: AccessFacts): AccessFacts {
    // As it was known last: a name service that fails ends no membership.
    const account = this.#names.lastAccount(facts.identity.uid);
    if (accountGroups === null || account === null) return access;
    const changes = groupChanges(accountGroups, allGroups(account));
    return changes === null ? access : withGroupChanges(access, changes);
  }

  /** The groups of a key's user that are known now; asked for where they are not. */
  #groupsOf(uid: number | undefined): readonly number[] | null {
    if (uid === undefined) return [];
    const account = this.#names.account(uid);
    if (account === null) this.#names.ask(uid);
    return account && allGroups(account);
  }

  #occupancy(
    { connections, connectionsOfUser }: OpenCounts,
    { service }: ListenerConfig,
  ): Occupancy {
    const { limits } = this.#liveConfig.config;
    return {
      connections,
      maxConnections: limits.maxConnections,
      reserved: service.kind === "console" ? 2 * RESERVED_CONNECTIONS : RESERVED_CONNECTIONS,
      connectionsOfUser,
      maxConnectionsPerUser: limits.maxConnectionsPerUser,
    };
  }
}

/** The users, groups and lists of a configuration, with the gids that are known. */
class KnownAccess {
  readonly #gidOf: GroupLookup;
  readonly #allowLists = new Map<ListenerConfig, AllowList | null>();
  /** The list of each listener as the last file that named it had it. */
  readonly #listed = new WeakMap<ListenerConfig, AllowList | null>();
  #config: Config | null = null;
  #table: AccessTable | null = null;

  constructor(gidOf: GroupLookup) {
    this.#gidOf = gidOf;
  }

  /** Makes it current. @returns This object. */
  of(config: Config): this {
    if (config !== this.#config) {
      this.forget();
      this.#config = config;
    }
    return this;
  }

  get table(): AccessTable {
    return this.#table ??= withGroupIds(this.#config!.access, this.#gidOf);
  }

  /**
   * The `allow` list in force for a listener, however the file spells its address. A listener that
   * the file no longer names keeps the list it had last.
   */
  allowOf(listener: ListenerConfig): AllowList | null {
    let allow = this.#allowLists.get(listener);
    if (allow === undefined) {
      const named = findListener(this.#config!.listeners ?? [], listener);
      if (named !== undefined) this.#listed.set(listener, named.allow);
      const listed = this.#listed.has(listener) ? this.#listed.get(listener)! : listener.allow;
      allow = listed && withAllowedIds(listed, this.#gidOf);
      this.#allowLists.set(listener, allow);
    }
    return allow;
  }

  forget(): void {
    this.#allowLists.clear();
    this.#table = null;
  }
}

/** Whether a list asks for the groups of a user. */
export function needsGroups(allow: AllowList | null): boolean {
  return allow !== null && allow.gids.size + allow.unknownGroups.size > 0;
}

function allGroups({ account, groups }: AccountResult): readonly number[] {
  return account === null ? groups : [account.gid, ...groups];
}
