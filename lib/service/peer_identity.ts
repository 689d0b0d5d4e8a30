/**
 * The identity under which something is done for a peer.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import type { ProcessIdentity } from "../libc/identity.ts";
import { accountByUid, groupsOf } from "../libc/ids.ts";
import { peerGroups } from "../libc/peer_credentials.ts";
import type { Session } from "../session/session_table.ts";

/**
 * Whom the kernel, or the name service, says the peer to be.
 *
 * @param peer The peer's connection.
 * @returns Null where they do not say all of it.
 */
export function peerIdentity({ facts }: Session, peer: Descriptor): ProcessIdentity | null {
  const { origin, identity } = facts;
  if (origin.kind === "tcp") return listedIdentity(identity);
  const groups = peerGroups(peer);
  const { uid, gid } = origin.credentials;
  return groups === null ? null : { uid, gid, groups };
}

/**
 * Whom the configuration and the name service say a user to be.
 *
 * @returns Null where nobody knows the primary group: it is not guessed.
 */
export function listedIdentity(
  user: { readonly uid: number; readonly gid: number | null },
): ProcessIdentity | null {
  const account = accountByUid(user.uid);
  const gid = user.gid ?? account?.gid;
  if (gid === undefined) return null;
  return { uid: user.uid, gid, groups: account === null ? [] : groupsOf(account.name, gid) };
}
