/**
 * The types of a decision: what is known about a peer, what the configuration says, the outcome.
 * All of it is plain readonly data, so that a decision can be tested, explained and sent between
 * threads.
 *
 * @module
 */

/** Where a value stands in the configuration file, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** An entry of `users:`. */
export interface User {
  readonly name: string;
  readonly uid: number;
  /** The user's primary group, or null where the file names none. */
  readonly gid: number | null;
  readonly localIpcAccess: boolean;
  readonly admin: boolean;
  /** Where the user's entry begins. */
  readonly at: Position;
  /** Where the value of `local_ipc_access` stands, or the entry where it is left out. */
  readonly accessAt: Position;
}

/** An entry of `groups:`. */
export interface Group {
  readonly name: string;
  /** Null where the file names none and the name service's answer is not known. */
  readonly gid: number | null;
  readonly localIpcAccess: boolean;
  /** Where the group's entry begins. */
  readonly at: Position;
  /** Where the value of `local_ipc_access` stands, or the entry where it is left out. */
  readonly accessAt: Position;
}

/** The users in the order of the file: a list that need not hold an object for each of them. */
export type UserList = Pick<
  readonly User[],
  "length" | "at" | "map" | "filter" | "findIndex" | typeof Symbol.iterator
>;

/** Finds users by what they are listed under. */
export type UserLookup<Key> = Pick<ReadonlyMap<Key, User>, "get" | "has" | "keys">;

/** The users and groups of the configuration, indexed for a decision. */
export interface AccessTable {
  readonly users: UserList;
  readonly usersByUid: UserLookup<number>;
  readonly usersByName: UserLookup<string>;
  /** What the users' names look like, where it is known already. */
  readonly looks?: Pick<ReadonlySet<string>, "has">;
  readonly groups: readonly Group[];
}

/** A listener's `allow:` list. Null in its place means every user and group that has access. */
export interface AllowList {
  /** Names of configured users. */
  readonly users: ReadonlySet<string>;
  /** Group ids of the `@name` entries, as far as they are known. */
  readonly gids: ReadonlySet<number>;
  /** The names of the other `@name` entries. */
  readonly unknownGroups: ReadonlySet<string>;
  readonly at: Position;
}

/** `struct ucred` of `unix(7)`: the peer as the kernel recorded it at `connect(2)`. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is known about a peer on a Unix socket. */
export interface UnixPeer {
  /** Null when `SO_PEERCRED` failed or its answer had a wrong length. */
  readonly credentials: PeerCredentials | null;
  /**
   * `SO_PEERGROUPS`, or null when it could not be read. Read also where no rule needs the groups.
   */
  readonly groups: readonly number[] | null;
}

/** What the configuration says of a key. */
export interface KeyGrant {
  /** The name of the user whose key it is; null for a trusted key. */
  readonly user: string | null;
  /** Milliseconds since the epoch, or null for never. */
  readonly notAfter: number | null;
  readonly at: Position;
}

/** What is known about a peer on TCP that has proved that it holds a key. */
export interface KeyedPeer {
  /** What the configuration says of that key, or null where it no longer names it. */
  readonly grant: KeyGrant | null;
  /** The name of the user that the peer asks to act as, or null. */
  readonly actsAs: string | null;
  /**
   * The primary and supplementary groups of the key's user; empty where no rule needs them, null
   * where the name service's answer is not known.
   */
  readonly groups: readonly number[] | null;
}

/** The uids of the host that a decision depends on. */
export interface HostFacts {
  /** The effective uid of the server. */
  readonly serverUid: number;
  /**
   * `/proc/sys/kernel/overflowuid`: stands for every uid that has no mapping in the server's user
   * namespace.
   */
  readonly overflowUid: number;
}

/** How many connections are open, and how many may be, before the new one is counted. */
export interface Occupancy {
  readonly connections: number;
  readonly maxConnections: number;
  /** How many connections more trusted peers may have. */
  readonly reserved: number;
  /** Open connections of the peer's uid. */
  readonly connectionsOfUser: number;
  readonly maxConnectionsPerUser: number;
}

/**
 * An occupancy that refuses no connection: for peers that hold one already, and for explanations.
 */
export const UNLIMITED: Occupancy = {
  connections: 0,
  maxConnections: Infinity,
  reserved: 0,
  connectionsOfUser: 0,
  maxConnectionsPerUser: Infinity,
};

/** The rule that allowed a peer. */
export type AllowRule = "root" | "server-user" | "user" | "group" | "key" | "trusted-key";

/** The reason why a peer was denied. */
export type DenyReason =
  | "no-credentials"
  | "unmapped-uid"
  | "user-denied"
  | "group-denied"
  | "unknown-uid"
  | "not-on-listener"
  | "over-limit"
  | "bad-key"
  | "expired-key"
  | "handshake-timeout"
  | "unreadable";

/**
 * The reason why an open session was revoked: the one for which its peer would be denied now, or
 * `identity-changed`: the peer would be let in as another user, uid or gid, or would no longer be
 * trusted.
 */
export type RevokeReason = DenyReason | "identity-changed";

/** The identity of a peer. Only a decision makes one. */
export interface Identity {
  /**
   * The configured user; null for a trusted peer or a group's member that is no configured user.
   */
  readonly user: User | null;
  readonly uid: number;
  /** The primary group, or null where neither the kernel nor the configuration names one. */
  readonly gid: number | null;
  /** Root, the server's own user, or the holder of a key without a user. */
  readonly trusted: boolean;
}

/** An allowing decision. */
export interface AllowDecision {
  readonly allow: true;
  readonly identity: Identity;
  readonly rule: AllowRule;
  readonly by: Rule;
}

/** A denying decision. */
export interface DenyDecision {
  readonly allow: false;
  readonly reason: DenyReason;
  readonly by: Rule;
  /** What was not known, where the decision might be another one if it were. */
  readonly detail?: string;
}

/** The outcome of the policy: a value, never an exception. */
export type Decision = AllowDecision | DenyDecision;

/**
 * The outcome for a peer on a Unix socket. Allowing it requires credentials, so an allowing
 * decision carries those it rests on.
 */
export type UnixDecision =
  | AllowDecision & { readonly credentials: PeerCredentials }
  | DenyDecision;

/** The line of the file that decided, or null where no line did. */
export type Rule = { readonly what: string; readonly at: Position } | null;
