/**
 * Whether an open session may go on under a new decision: pure.
 *
 * A session carries its identity to where no decision reaches any more: into the environment of a
 * program, a PROXY header, the credentials of a backend connection, the rights of a console. So it
 * is not enough that the peer would be let in again. It has to be let in as the same.
 *
 * @module
 */
import type { AccessTable, Identity, RevokeReason } from "./types.ts";

/** The user that a console session acts as: the entry that its rights hang on. */
export interface ActingUser {
  readonly name: string;
  readonly uid: number;
}

/**
 * Whether two identities are the same user, uid, gid and trust.
 *
 * A trusted peer is trusted by its uid or its key. An entry for its uid gives it nothing and takes
 * nothing away, so its name is not compared.
 */
export function isSameIdentity(one: Identity, other: Identity): boolean {
  if (one.trusted !== other.trusted || one.uid !== other.uid || one.gid !== other.gid) return false;
  return one.trusted || one.user?.name === other.user?.name;
}

/**
 * Why a session may not go on acting as a user.
 *
 * @returns Null where the user has access, under the same name and uid.
 */
export function actingRevocation(
  { name, uid }: ActingUser,
  { usersByName }: AccessTable,
): RevokeReason | null {
  const user = usersByName.get(name);
  if (user === undefined || !user.localIpcAccess) return "user-denied";
  return user.uid === uid ? null : "identity-changed";
}
