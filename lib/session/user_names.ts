/**
 * The names sessions run under.
 *
 * @module
 */
import { accountByUid, groupsOf } from "../libc/ids.ts";
import type { Identity } from "../policy/types.ts";

/** How many names of the name service are remembered. */
const REMEMBERED = 1024;

/** Finds the name of someone who was let in. A name decides nothing; it is for people and the log. */
export class UserNames {
  readonly #serverUid: number;
  readonly #serverUser: string;
  readonly #known = new Map<number, string>();

  /**
   * @param serverUid The server's own uid.
   * @param serverUser The name of that user.
   */
  constructor(serverUid: number, serverUser: string) {
    this.#serverUid = serverUid;
    this.#serverUser = serverUser;
  }

  /**
   * The groups a user of this machine is in; empty where there is no such user, or nobody to ask. They are
   * asked for where a list names groups: who is in none is not on it.
   */
  groupsOf(uid: number): readonly number[] {
    try {
      const account = accountByUid(uid);
      return account === null ? [] : groupsOf(account.name, account.gid);
    } catch {
      return [];
    }
  }

  /** The configured name, else what the name service says, else the uid in digits. */
  of(as: Identity): string {
    if (as.user !== null) return as.user.name;
    if (as.uid === 0) return "root";
    if (as.uid === this.#serverUid) return this.#serverUser;
    // A member of a configured group. The name service may be a server far away: each uid asks once.
    const known = this.#known.get(as.uid);
    if (known !== undefined) return known;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const name = nameByUid(as.uid);
    this.#known.set(as.uid, name);
    return name;
  }
}

/** The name service's name for a uid, or the uid in digits where it has none or does not answer. */
export function nameByUid(uid: number): string {
  try {
    return accountByUid(uid)?.name ?? String(uid);
  } catch {
    return String(uid);
  }
}
