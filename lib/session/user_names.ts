/**
 * The user names of sessions.
 *
 * @module
 */
import { ConfiguredNames } from "../config/configured_names.ts";
import { lookAlike } from "../config/name_looks.ts";
import type { AccessTable, Identity } from "../policy/types.ts";

/** How many names are cached. */
const MAX_CACHED_NAMES = 1024;

/** What the names depend on. */
export interface UserNamesOptions {
  /** The server's effective uid. */
  readonly serverUid: number;
  /** The name of that user; the uid in digits where none is known. */
  serverUser(): string;
  /** The configured users in force. */
  access(): AccessTable;
  /** The name of a uid in the name service; the uid in digits where none is known. */
  nameByUid(uid: number): string;
}

/**
 * Finds the user name of a session. ipcauth decides nothing by it, but the backends, programs and
 * readers of the log that get it do. So a name that is, or looks like, that of a configured user is
 * given to no other uid: the uid stands in its place, in digits.
 */
export class UserNames {
  readonly #options: UserNamesOptions;
  /** In the order of their age. */
  readonly #cache = new Map<number, CachedName>();
  /** The names that are taken in {@linkcode #takenOf}. */
  #taken: ConfiguredNames | null = null;
  #takenOf: AccessTable | null = null;

  constructor(options: UserNamesOptions) {
    this.#options = options;
  }

  /** Whether the name of an identity is known without the name service. */
  isOwn({ user, uid }: Identity): boolean {
    return user !== null || uid === 0;
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

  /**
   * Whether a session may go on under the name that it began with. A program or a backend has got
   * that name already, so it must not have become that of a configured user of another uid.
   */
  mayKeep(name: string, { uid }: Identity): boolean {
    if (name === String(uid) || (name === "root" && uid === 0)) return true;
    const access = this.#options.access();
    const user = access.usersByName.get(name);
    return user === undefined ? this.#takenNames(access).isFree(name) : user.uid === uid;
  }

  #cached(uid: number): CachedName {
    const { serverUid, serverUser, nameByUid } = this.#options;
    const account = uid === serverUid ? serverUser() : nameByUid(uid);
    const cached = this.#cache.get(uid);
    if (cached?.account === account) return cached;
    this.#cache.delete(uid);
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined && this.#cache.size >= MAX_CACHED_NAMES) this.#cache.delete(oldest);
    const found: CachedName = { account, name: "", checkedFor: null };
    this.#cache.set(uid, found);
    return found;
  }

  #isFree(name: string, uid: number, access: AccessTable): boolean {
    const { serverUid, serverUser } = this.#options;
    if (uid !== serverUid && lookAlike(name, serverUser())) return false;
    return this.#takenNames(access).isFree(name);
  }

  #takenNames(access: AccessTable): ConfiguredNames {
    if (this.#taken === null || access !== this.#takenOf) {
      this.#taken = new ConfiguredNames(access);
      this.#takenOf = access;
    }
    return this.#taken;
  }
}

/** The name of a uid that is no configured user. */
interface CachedName {
  /** The name of its account; the uid in digits where it has none. */
  readonly account: string;
  /** The name of its sessions, and the configuration that this was decided for. */
  name: string;
  checkedFor: AccessTable | null;
}
