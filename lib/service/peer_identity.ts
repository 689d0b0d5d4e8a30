/**
 * The process identity (uid, gid, groups) of a client, for impersonation and for programs.
 *
 * @module
 */
import type { ProcessIdentity } from "../libc/identity.ts";
import type { AccountResult } from "../names/results.ts";
import type { Session } from "../session/session.ts";

/**
 * The process identity of a session's client: what the kernel recorded on a Unix socket, else what
 * the configuration and the name service say of the key's user.
 *
 * @param account The account of the client's uid; needed on TCP.
 * @returns Null where a part of it is unknown.
 */
export function peerIdentity(
  { facts }: Session,
  account: AccountResult | null,
): ProcessIdentity | null {
  const { origin, identity } = facts;
  if (origin.kind === "tcp") return listedIdentity(identity, account);
  const { credentials: { uid, gid }, groups } = origin;
  return groups === null ? null : { uid, gid, groups };
}

/**
 * The process identity of a user, from the configuration and the name service.
 *
 * @returns Null where neither names the primary group, which is never guessed, and where the
 * account is not known.
 */
export function listedIdentity(
  user: { readonly uid: number; readonly gid: number | null },
  known: AccountResult | null,
): ProcessIdentity | null {
  if (known === null || known.uid !== user.uid || known.problem !== null) return null;
  const gid = user.gid ?? known.account?.gid;
  if (gid === undefined) return null;
  return { uid: user.uid, gid, groups: [gid, ...known.groups.filter((one) => one !== gid)] };
}
