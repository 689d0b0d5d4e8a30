/**
 * The user names of sessions.
 *
 * @module
 */
import { ConfiguredNames } from "../config/configured_names.ts";
import { lookAlike } from "../config/name_looks.ts";
import { accountByUid, groupsOf, nameByUid } from "../libc/ids.ts";
import type { AccessTable, Identity } from "../policy/types.ts";

/** How many names of the name service are cached. */
const MAX_CACHED_NAMES = 1024;

/** How long a name of the name service is cached, in milliseconds. */
const CACHE_MS = 30_000;

/** What the names depend on. */
export interface UserNamesOptions {
  /** The server's effective uid, and the name of that user. */
  readonly serverUid: number;
  readonly serverUser: string;
  /** The configured users in force. */
  access(): AccessTable;
  /** The name of a uid in the name service; the uid in digits where it has none. */
  nameByUid?(uid: number): string;
  /** A clock in milliseconds. */
  now?(): number;
}

/**
 * Finds the user name of a session. ipcauth decides nothing by it, but the backends, programs and
 * readers of the log that get it do. So a name that is, or looks like, that of a configured user is
 * given to no other uid: the uid stands in its place, in digits.
 */
export class UserNames {
  readonly #options: Required<UserNamesOptions>;
  /** In the order of their age. The entry of the server's own uid never expires. */
  readonly #cache = new Map<number, CachedName>();
  /** The names that are taken in {@linkcode #takenOf}. */
  #taken: ConfiguredNames | null = null;
  #takenOf: AccessTable | null = null;

  constructor(options: UserNamesOptions) {
    this.#options = { nameByUid, now: () => performance.now(), ...options };
  }

  /**
   * The groups of a uid in the name service; empty where it has no account or the name service
   * fails. They are compared with an `allow` list, so a missing group never allows.
   */
  groupsOf(uid: number): readonly number[] {
    try {
      const account = accountByUid(uid);
      return account === null ? [] : groupsOf(account.name, account.gid);
    } catch {
      return [];
    }
  }

  /** The configured name, else that of the name service, else the uid in digits. */
  of({ user, uid }: Identity): string {
    if (user !== null) return user.name;
    if (uid === 0) return "root";
    const cached = this.#cached(uid);
    const access = this.#options.access();
    if (cached.checkedFor !== access) {
      cached.name = this.#isFree(cached.account, uid, access) ? cached.account : String(uid);
      cached.checkedFor = access;
    }
    return cached.name;
  }

  /** Looks a uid up. The name service may be remote, hence the cache. */
  #cached(uid: number): CachedName {
    const { serverUid, serverUser } = this.#options;
    const now = this.#options.now();
    const cached = this.#cache.get(uid);
    if (cached !== undefined && now < cached.until) return cached;
    this.#cache.delete(uid);
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined && this.#cache.size >= MAX_CACHED_NAMES) this.#cache.delete(oldest);
    const found: CachedName = uid === serverUid
      ? { account: serverUser, until: Infinity, name: "", checkedFor: null }
      : {
        account: this.#options.nameByUid(uid),
        until: now + CACHE_MS,
        name: "",
        checkedFor: null,
      };
    this.#cache.set(uid, found);
    return found;
  }

  #isFree(name: string, uid: number, access: AccessTable): boolean {
    const { serverUid, serverUser } = this.#options;
    if (uid !== serverUid && lookAlike(name, serverUser)) return false;
    if (access !== this.#takenOf) {
      this.#taken = new ConfiguredNames(access);
      this.#takenOf = access;
    }
    return this.#taken!.isFree(name);
  }
}

/** The name of a uid that is no configured user. */
interface CachedName {
  /** The name of its account; the uid in digits where it has none. */
  readonly account: string;
  /** Until when that is not looked up again. */
  readonly until: number;
  /** The name of its sessions, and the configuration that this was decided for. */
  name: string;
  checkedFor: AccessTable | null;
}
