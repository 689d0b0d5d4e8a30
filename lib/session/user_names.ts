/**
 * The user names of sessions.
 *
 * @module
 */
import { accountByUid, groupsOf, nameByUid } from "../libc/ids.ts";
import type { Identity } from "../policy/types.ts";

/** How many names from the name service are cached. */
const MAX_CACHED_NAMES = 1024;

/** Finds the user name of a session. A name decides nothing; it is for the console and the log. */
export class UserNames {
  readonly #serverUid: number;
  readonly #serverUser: string;
  readonly #cache = new Map<number, string>();

  /**
   * @param serverUid The server's effective uid.
   * @param serverUser The name of that user.
   */
  constructor(serverUid: number, serverUser: string) {
    this.#serverUid = serverUid;
    this.#serverUser = serverUser;
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
    if (uid === this.#serverUid) return this.#serverUser;
    // A member of a configured group. The name service may be remote, so each uid is looked up
    // once.
    const cached = this.#cache.get(uid);
    if (cached !== undefined) return cached;
    if (this.#cache.size >= MAX_CACHED_NAMES) this.#cache.clear();
    const name = nameByUid(uid);
    this.#cache.set(uid, name);
    return name;
  }
}
