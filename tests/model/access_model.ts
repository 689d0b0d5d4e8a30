/**
 * Who must get in: written down once more, from the documents and not from the code, so that the
 * two can be compared. Pure, but for the time of day.
 */

/** A process that connects. */
export interface Peer {
  readonly uid: number;
  /** All its groups. */
  readonly gids: readonly number[];
}

/** Two sockets of users, of which the narrow one has a list, and one of keys. */
export type Listener = "open" | "narrow" | "tcp";

/** What stands behind a listener. */
export type ServiceKind = "console" | "forward" | "exec" | "exec as the peer";

/** The file, as far as the model knows it. */
export interface AccessFile {
  readonly users: Map<string, { readonly uid: number; access: boolean }>;
  /** A group without a gid is one of the name service. */
  readonly groups: Map<string, { readonly gid: number | null; access: boolean }>;
  /** The listeners that it names. */
  readonly listeners: Set<Listener>;
  /** What stands behind each listener; the open one has a console. */
  readonly services: Readonly<Record<Listener, ServiceKind>>;
  /** The lists of listeners, as the last file that named them had it; null for none. */
  readonly lists: Record<"narrow" | "tcp", readonly string[] | null>;
  /** How many sessions there may be, of all and of one uid. */
  limits: { readonly all: number; readonly perUser: number };
  /**
   * The keys of the TCP listener; a trusted key has no user. One of the directory of keys is no
   * entry of the file.
   */
  readonly keys: Map<string, {
    user: string | null;
    isInDirectory?: boolean;
    /** When it ends, in milliseconds since the epoch; left out for never. */
    notAfter?: number | undefined;
  }>;
  /** The end that a file beside the key of the directory holds; 0 where it holds no time. */
  directoryEnd: number | undefined;
}

/** Which secret each key file holds: it counts up. */
export type Secrets = Map<string, number>;

/** What lets a session in. */
export type Origin =
  | { readonly listener: "open" | "narrow"; readonly peer: Peer }
  | { readonly listener: "tcp"; readonly key: string; readonly secret: number };

/** A decision: the identity and the uid that it counts for, or why not. */
export type Expected =
  | { readonly allow: true; readonly reason: string; readonly identity: string; uid: number }
  | { readonly allow: false; readonly reason: string };

/** The identity of a trusted peer. */
const TRUSTED = "trusted";
/** How many sessions trusted peers may have above the limit of all: of consoles, and of others. */
const RESERVE = { console: 8, others: 4 };

/** What is known of the name service. */
export interface NameFacts {
  /** The gid of a group; null where there is none, and where that is not known. */
  gidOf(group: string): number | null;
  /** The groups of an account; none where there is no account, null where that is not known. */
  groupsOf(uid: number): readonly number[] | null;
}

/** A session that is decided about again: what was known of its account first. */
export interface Membership {
  /** The groups of the account; null where they are not known yet. */
  readonly first: readonly number[] | null;
}

/**
 * What must be decided about a new connection beside the sessions that are open.
 *
 * @param at The time of day, in milliseconds since the epoch.
 */
export function admitted(
  file: AccessFile,
  names: NameFacts,
  secrets: Secrets,
  origin: Origin,
  open: readonly { readonly uid: number }[],
  at: number,
): Expected {
  if (!file.listeners.has(origin.listener)) return { allow: false, reason: "no-listener" };
  const decision = expected(file, names, secrets, origin, { first: null }, at);
  if (!decision.allow) return decision;
  const isConsole = file.services[origin.listener] === "console";
  const reserve = isConsole ? RESERVE.console : RESERVE.others;
  const all = file.limits.all + (decision.identity === TRUSTED ? reserve : 0);
  const own = open.filter(({ uid }) => uid === decision.uid);
  const hasPlace = open.length < all && own.length < file.limits.perUser;
  return hasPlace ? decision : { allow: false, reason: "over-limit" };
}

/**
 * What must be decided about the peer of a session, which has its place already.
 *
 * @param names What is known now, for a new connection; what was known last, for a session.
 */
export function expected(
  file: AccessFile,
  names: NameFacts,
  secrets: Secrets,
  origin: Origin,
  membership: Membership = { first: null },
  at: number = Date.now(),
): Expected {
  if (origin.listener === "tcp") {
    const decision = expectedByKey(file, secrets, origin, at);
    const groups = decision.allow ? names.groupsOf(decision.uid) : null;
    return narrowed(file, names, file.lists.tcp, groups ?? [], decision);
  }
  const { uid, gids } = origin.peer;
  const now = names.groupsOf(uid);
  const { first } = membership;
  const left = first === null || now === null ? [] : first.filter((gid) => !now.includes(gid));
  const joined = first === null || now === null ? [] : now.filter((gid) => !first.includes(gid));
  const kept = gids.filter((gid) => !left.includes(gid));
  const decision = expectedByUid(file, names, uid, kept, [...gids, ...joined]);
  // A session of a removed listener has passed the list that it had.
  const list = origin.listener === "open" ? null : file.lists.narrow;
  return narrowed(file, names, list, kept, decision);
}

function expectedByKey(
  { users, keys, directoryEnd }: AccessFile,
  secrets: Secrets,
  { key, secret }: Origin & { listener: "tcp" },
  at: number,
): Expected {
  const entry = keys.get(key);
  if (entry === undefined || secrets.get(key) !== secret) {
    return { allow: false, reason: "bad-key" };
  }
  const end = entry.isInDirectory ? directoryEnd : entry.notAfter;
  if (end !== undefined && end <= at) {
    return { allow: false, reason: "expired-key" };
  }
  if (entry.user === null) return { allow: true, reason: "trusted-key", identity: TRUSTED, uid: 0 };
  const user = users.get(entry.user);
  return user?.access
    ? { allow: true, reason: "key", identity: `user ${entry.user}`, uid: user.uid }
    : { allow: false, reason: "user-denied" };
}

/**
 * @param gids The groups that let it in.
 * @param more The groups that keep it out.
 */
function expectedByUid(
  { users, groups }: AccessFile,
  names: NameFacts,
  uid: number,
  gids: readonly number[],
  more: readonly number[],
): Expected {
  if (uid === 0) return { allow: true, reason: "root", identity: TRUSTED, uid };
  for (const [name, user] of users) {
    if (user.uid !== uid) continue;
    return user.access
      ? { allow: true, reason: "user", identity: `user ${name}`, uid }
      : { allow: false, reason: "user-denied" };
  }
  const known = [...groups].map(([name, { gid, access }]) => ({
    gid: gid ?? names.gidOf(name),
    access,
  }));
  // Everyone could be a member of a group that is not known.
  const keepsOut = known.some(({ gid, access }) => !access && (gid === null || more.includes(gid)));
  if (keepsOut) return { allow: false, reason: "group-denied" };
  const letsIn = known.some(({ gid, access }) => access && gid !== null && gids.includes(gid));
  return letsIn
    ? { allow: true, reason: "group", identity: `uid ${uid}`, uid }
    : { allow: false, reason: "unknown-uid" };
}

function narrowed(
  { groups }: AccessFile,
  names: NameFacts,
  list: readonly string[] | null,
  gids: readonly number[],
  decision: Expected,
): Expected {
  if (!decision.allow || decision.identity === TRUSTED || list === null) return decision;
  const isOn = list.some((name) => {
    if (!name.startsWith("@")) return decision.identity === `user ${name}`;
    const gid = groups.get(name.slice(1))!.gid ?? names.gidOf(name.slice(1));
    return gid !== null && gids.includes(gid);
  });
  return isOn ? decision : { allow: false, reason: "not-on-listener" };
}
