/**
 * The access policy: the pure function from facts about a peer and the configuration to a decision.
 *
 * No I/O, no clock, no exception: a missing or invalid fact ends in a denial with a reason. The
 * rules are tried in the order in which they stand in this file.
 *
 * @module
 */
import type {
  AccessTable,
  AllowDecision,
  AllowList,
  AllowRule,
  Decision,
  DenyDecision,
  DenyReason,
  Group,
  HostFacts,
  Identity,
  KeyedPeer,
  Occupancy,
  PeerCredentials,
  Rule,
  UnixDecision,
  UnixPeer,
  User,
} from "./types.ts";
import { MAX_ID } from "./id.ts";

/**
 * Decides about a peer on a Unix socket.
 *
 * @param peer What the kernel says of it.
 * @param table The configured users and groups.
 * @param allow The listener's own list, or null for every user and group that has access.
 * @param hostFacts The server's uid and the overflow uid.
 * @param occupancy How many connections are open, and how many may be.
 * @returns Allow or deny, with the rule or reason and the line of the file that decided.
 * @example
 * ```ts
 * const peer = { credentials: { pid: 4711, uid: 579, gid: 579 }, groups: [] };
 * const decision = decide(peer, config.access, null, hostFacts, UNLIMITED);
 * if (!decision.allow) logDeny(decision.reason, decision.by?.at);
 * ```
 */
export function decide(
  peer: UnixPeer,
  table: AccessTable,
  allow: AllowList | null,
  hostFacts: HostFacts,
  occupancy: Occupancy,
): UnixDecision {
  const credentials = peer.credentials;
  if (credentials === null) return deny("no-credentials");
  // The overflow uid stands for every uid without a mapping. A configured user of that number
  // would give its access to all of them.
  if (credentials.uid === hostFacts.overflowUid || credentials.uid > MAX_ID) {
    return deny("unmapped-uid");
  }
  const decision = byIdentity(credentials, peer.groups, table, hostFacts);
  return narrow(decision, peer.groups, allow, occupancy);
}

/**
 * Decides about a peer on TCP that has proved that it holds a key. A peer without one is refused by
 * the handshake.
 *
 * @param peer What the access check has proved.
 * @param table The configured users and groups.
 * @param allow The listener's own list, or null for every user and group that has access.
 * @param now Milliseconds since the epoch.
 * @param occupancy How many connections are open, and how many may be.
 * @returns Allow or deny, with the rule or reason and the line of the file that decided.
 */
export function decideKeyed(
  peer: KeyedPeer,
  table: AccessTable,
  allow: AllowList | null,
  now: number,
  occupancy: Occupancy,
): Decision {
  const { grant } = peer;
  if (grant === null) return deny("bad-key");
  const by: Rule = { what: "key", at: grant.at };
  if (grant.notAfter !== null && now >= grant.notAfter) return deny("expired-key", by);
  return narrow(byKey(peer.actsAs, grant.user, table, by), peer.groups, allow, occupancy);
}

function byKey(
  actsAs: string | null,
  owner: string | null,
  table: AccessTable,
  by: Rule,
): Decision {
  // Only the holder of a trusted key may name a user to act as. Any other key names its user.
  if (owner !== null && actsAs !== null) return deny("user-denied", by);
  const name = owner ?? actsAs;
  if (name === null) {
    return {
      allow: true,
      identity: { user: null, uid: 0, gid: 0, trusted: true },
      rule: "trusted-key",
      by,
    };
  }
  const user = table.usersByName.get(name);
  if (user === undefined) return deny("user-denied", by);
  if (!user.localIpcAccess) {
    return deny("user-denied", { what: `user ${user.name}`, at: user.accessAt });
  }
  return {
    allow: true,
    identity: { user, uid: user.uid, gid: user.gid, trusted: false },
    rule: owner === null ? "trusted-key" : "key",
    by,
  };
}

/** Applies a listener's list and the limits to a decision. */
function narrow<Allow extends AllowDecision>(
  decision: Allow | DenyDecision,
  groups: readonly number[] | null,
  allow: AllowList | null,
  occupancy: Occupancy,
): Allow | DenyDecision {
  if (!decision.allow) return decision;
  // A trusted peer could edit the list, so to deny it by the list would protect nothing.
  if (allow !== null && !decision.identity.trusted && !isOnList(allow, decision.identity, groups)) {
    const by = { what: "allow", at: allow.at };
    return deny("not-on-listener", by, unknownOf(allow, groups));
  }
  // Whatever the others have filled, root can get in and end it.
  const reserved = decision.identity.trusted ? occupancy.reserved : 0;
  if (
    occupancy.connections >= occupancy.maxConnections + reserved ||
    occupancy.connectionsOfUser >= occupancy.maxConnectionsPerUser
  ) return deny("over-limit");
  return decision;
}

function byIdentity(
  credentials: PeerCredentials,
  groups: readonly number[] | null,
  table: AccessTable,
  hostFacts: HostFacts,
): UnixDecision {
  const user = table.usersByUid.get(credentials.uid) ?? null;
  if (credentials.uid === 0) return allowAs("root", credentials, user, true, null);
  if (credentials.uid === hostFacts.serverUid) {
    return allowAs("server-user", credentials, user, true, null);
  }
  if (user !== null) {
    const by: Rule = { what: `user ${user.name}`, at: user.accessAt };
    return user.localIpcAccess
      ? allowAs("user", credentials, user, false, by)
      : deny("user-denied", by);
  }
  return byGroup(credentials, groups, table);
}

function byGroup(
  credentials: PeerCredentials,
  groups: readonly number[] | null,
  table: AccessTable,
): UnixDecision {
  if (table.groups.length === 0) return deny("unknown-uid");
  // Unknown groups are not the same as none: a group that denies could be among them.
  if (groups === null) return deny("no-credentials");
  let allowing: Rule = null;
  let unknown: Group | null = null;
  for (const group of table.groups) {
    if (group.gid === null) {
      // One that denies decides as if the peer were in it, where none does so certainly.
      if (unknown === null || unknown.localIpcAccess) unknown = group;
      continue;
    }
    if (group.gid !== credentials.gid && !groups.includes(group.gid)) continue;
    if (!group.localIpcAccess) return deny("group-denied", ruleOf(group));
    allowing ??= ruleOf(group);
  }
  if (unknown !== null && !unknown.localIpcAccess) {
    return deny("group-denied", ruleOf(unknown), gidUnknown(unknown.name));
  }
  if (allowing !== null) return allowAs("group", credentials, null, false, allowing);
  return deny("unknown-uid", null, unknown === null ? undefined : gidUnknown(unknown.name));
}

function ruleOf(group: Group): Rule {
  return { what: `group ${group.name}`, at: group.accessAt };
}

function gidUnknown(name: string): string {
  return `the gid of the group ${name} is not known`;
}

/** What is not known of the groups of a list or a peer, where that may be why it is not on it. */
function unknownOf(allow: AllowList, groups: readonly number[] | null): string | undefined {
  const [name] = allow.unknownGroups;
  if (name !== undefined) return gidUnknown(name);
  return groups === null && allow.gids.size > 0
    ? "the groups of the user are not known"
    : undefined;
}

function isOnList(
  allow: AllowList,
  identity: Identity,
  groups: readonly number[] | null,
): boolean {
  if (identity.user !== null && allow.users.has(identity.user.name)) return true;
  if (identity.gid !== null && allow.gids.has(identity.gid)) return true;
  return groups !== null && groups.some((gid) => allow.gids.has(gid));
}

function allowAs(
  rule: AllowRule,
  credentials: PeerCredentials,
  user: User | null,
  trusted: boolean,
  by: Rule,
): UnixDecision {
  return {
    allow: true,
    identity: { user, uid: credentials.uid, gid: credentials.gid, trusted },
    rule,
    by,
    credentials,
  };
}

function deny(reason: DenyReason, by: Rule = null, detail?: string): DenyDecision {
  return { allow: false, reason, by, ...detail === undefined ? {} : { detail } };
}
