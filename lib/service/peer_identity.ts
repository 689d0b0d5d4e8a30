/**
 * The process identity (uid, gid, groups) of a client, for impersonation and for programs.
 *
 * @module
 */
import type { ProcessIdentity } from "../libc/identity.ts";
import { accountByUid, groupsOf } from "../libc/ids.ts";
import type { Session } from "../session/session.ts";

/**
 * The process identity of a session's client: what the kernel recorded on a Unix socket, else what
 * the configuration and the name service say of the key's user.
 *
 * @returns Null where a part of it is unknown.
 */
export function peerIdentity({ facts }: Session): ProcessIdentity | null {
  const { origin, identity } = facts;
  if (origin.kind === "tcp") return listedIdentity(identity);
  const { credentials: { uid, gid }, groups } = origin;
  return groups === null ? null : { uid, gid, groups };
}

/**
 * The process identity of a user, from the configuration and the name service.
 *
 * @returns Null where neither names the primary group, which is never guessed.
 */
export function listedIdentity(
  user: { readonly uid: number; readonly gid: number | null },
): ProcessIdentity | null {
  const account = accountByUid(user.uid);
  const gid = user.gid ?? account?.gid;
  if (gid === undefined) return null;
  return { uid: user.uid, gid, groups: account === null ? [] : groupsOf(account.name, gid) };
}
