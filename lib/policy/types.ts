/**
 * The nouns of the decision: what is known about a peer, what the configuration says, what comes out.
 * Everything here is plain readonly data, so that a decision can be tested, explained and sent between
 * threads.
 */

/** Where something stands in the configuration file, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A user of the configuration's `users:`. */
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

/** A group of the configuration's `groups:`, its gid already looked up. */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly localIpcAccess: boolean;
  readonly at: Position;
  readonly accessAt: Position;
}

/** Who is listed, indexed for the look-ups of a decision. */
export interface AccessTable {
  readonly users: readonly User[];
  readonly usersByUid: ReadonlyMap<number, User>;
  readonly usersByName: ReadonlyMap<string, User>;
  readonly groups: readonly Group[];
}

/** A listener's `allow:` list; absent (null) means everyone who has access. */
export interface AllowList {
  /** Names of users of the configuration. */
  readonly users: ReadonlySet<string>;
  /** Group ids of the `@name` entries. */
  readonly gids: ReadonlySet<number>;
  readonly at: Position;
}

/** `struct ucred` of `unix(7)`: the peer as the kernel recorded it at `connect()`. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What is known about a peer on a Unix socket. */
export interface UnixPeer {
  /** Null when `SO_PEERCRED` failed or answered with a wrong length. */
  readonly credentials: PeerCredentials | null;
  /** `SO_PEERGROUPS`, or null when it could not be read. Empty when no rule asks about groups. */
  readonly groups: readonly number[] | null;
}

/** What the configuration says of a key. */
export interface KeyGrant {
  /** Whose key it is; null: a trusted key. */
  readonly user: string | null;
  /** Milliseconds since the epoch, or null for never. */
  readonly notAfter: number | null;
  readonly at: Position;
}

/** What is known about a peer on TCP that has proved that it holds a key. */
export interface KeyedPeer {
  /** What the configuration says of that key, or null where it no longer names it. */
  readonly grant: KeyGrant | null;
  /** Whom the peer wants to act as, or null. */
  readonly actsAs: string | null;
  /** The primary and supplementary groups of the user whose key it is; empty when no rule asks. */
  readonly groups: readonly number[];
}

/** What is known about the machine and the server itself. */
export interface HostFacts {
  /** The effective uid of the server. */
  readonly serverUid: number;
  /** `/proc/sys/kernel/overflowuid`: stands for every uid that has no mapping in our user namespace. */
  readonly overflowUid: number;
}

/** How full the house is, counted before the newcomer. */
export interface Occupancy {
  readonly connections: number;
  readonly maxConnections: number;
  /** Open connections of the newcomer's uid. */
  readonly connectionsOfUser: number;
  readonly maxConnectionsPerUser: number;
}

/** Why someone is let in. */
export type AllowRule = "root" | "server-user" | "user" | "group" | "key" | "trusted-key";

/** Why someone is not. */
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
  | "handshake-timeout";

/** Who a peer is, established by a decision and by nothing else. */
export interface Identity {
  /** The configured user, or null for a trusted or group peer that is not listed. */
  readonly user: User | null;
  readonly uid: number;
  /** The primary group, or null where nobody has said which. */
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
}

/** The outcome of the policy: a value, never an exception. */
export type Decision = AllowDecision | DenyDecision;

/**
 * The outcome for a peer on a Unix socket. Allowing it requires credentials, so an allowing decision
 * carries those it rests on.
 */
export type UnixDecision =
  | AllowDecision & { readonly credentials: PeerCredentials }
  | DenyDecision;

/** The line of the file that decided, or null where no line did. */
export type Rule = { readonly what: string; readonly at: Position } | null;
