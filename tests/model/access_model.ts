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

/** The file, as far as the model knows it. */
export interface AccessFile {
  readonly users: Map<string, { readonly uid: number; access: boolean }>;
  readonly groups: Map<string, { readonly gid: number; access: boolean }>;
  /** The listeners that it names. */
  readonly listeners: Set<Listener>;
  /** The list of the narrow listener; null for none. */
  allow: readonly string[] | null;
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
/** How many consoles trusted peers may have above the limit of all. */
const RESERVE = 8;

/** What must be decided about a new connection beside the sessions that are open. */
export function admitted(
  file: AccessFile,
  secrets: Secrets,
  origin: Origin,
  open: readonly { readonly uid: number }[],
): Expected {
  if (!file.listeners.has(origin.listener)) return { allow: false, reason: "no-listener" };
  const decision = expected(file, secrets, origin);
  if (!decision.allow) return decision;
  const all = file.limits.all + (decision.identity === TRUSTED ? RESERVE : 0);
  const own = open.filter(({ uid }) => uid === decision.uid);
  const hasPlace = open.length < all && own.length < file.limits.perUser;
  return hasPlace ? decision : { allow: false, reason: "over-limit" };
}

/** What must be decided about the peer of a session, which has its place already. */
export function expected(file: AccessFile, secrets: Secrets, origin: Origin): Expected {
  return origin.listener === "tcp"
    ? expectedByKey(file, secrets, origin)
    : narrowed(file, origin, expectedByUid(file, origin.peer));
}

function expectedByKey(
  { users, keys }: AccessFile,
  secrets: Secrets,
  { key, secret }: Origin & { listener: "tcp" },
): Expected {
  const entry = keys.get(key);
  if (entry === undefined || secrets.get(key) !== secret) {
    return { allow: false, reason: "bad-key" };
  }
  if (entry.notAfter !== undefined && entry.notAfter <= Date.now()) {
    return { allow: false, reason: "expired-key" };
  }
  if (entry.user === null) return { allow: true, reason: "trusted-key", identity: TRUSTED, uid: 0 };
  const user = users.get(entry.user);
  return user?.access
    ? { allow: true, reason: "key", identity: `user ${entry.user}`, uid: user.uid }
    : { allow: false, reason: "user-denied" };
}

function expectedByUid({ users, groups }: AccessFile, { uid, gids }: Peer): Expected {
  if (uid === 0) return { allow: true, reason: "root", identity: TRUSTED, uid };
  for (const [name, user] of users) {
    if (user.uid !== uid) continue;
    return user.access
      ? { allow: true, reason: "user", identity: `user ${name}`, uid }
      : { allow: false, reason: "user-denied" };
  }
  const own = [...groups.values()].filter(({ gid }) => gids.includes(gid));
  if (own.some(({ access }) => !access)) return { allow: false, reason: "group-denied" };
  return own.length > 0
    ? { allow: true, reason: "group", identity: `uid ${uid}`, uid }
    : { allow: false, reason: "unknown-uid" };
}

function narrowed(
  { listeners, allow, groups }: AccessFile,
  { listener, peer }: Origin & { listener: "open" | "narrow" },
  decision: Expected,
): Expected {
  if (!decision.allow || decision.identity === TRUSTED) return decision;
  // A session has passed the list that a removed listener had.
  if (listener === "open" || allow === null || !listeners.has(listener)) return decision;
  const isOn = allow.some((name) =>
    name.startsWith("@")
      ? peer.gids.includes(groups.get(name.slice(1))!.gid)
      : decision.identity === `user ${name}`
  );
  return isOn ? decision : { allow: false, reason: "not-on-listener" };
}
