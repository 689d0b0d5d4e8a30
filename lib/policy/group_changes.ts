/**
 * The groups that the user of an open session has left and joined since it began: pure.
 *
 * On a Unix socket the kernel says which groups a peer has, and they are those of its login: it
 * does not learn that the account has left one. The name service does.
 *
 * @module
 */
import type { AccessTable, AllowList } from "./types.ts";

/** How the groups of an account differ from those that it had. */
export interface GroupChanges {
  readonly left: ReadonlySet<number>;
  readonly joined: ReadonlySet<number>;
}

/** What an open session is decided by. */
export interface AccessFacts {
  readonly table: AccessTable;
  readonly allow: AllowList | null;
}

/** The difference; null where there is none. */
export function groupChanges(
  before: readonly number[],
  now: readonly number[],
): GroupChanges | null {
  const left = new Set(before).difference(new Set(now));
  const joined = new Set(now).difference(new Set(before));
  return left.size + joined.size === 0 ? null : { left, joined };
}

/**
 * What a session is decided by after its user has left groups, which let it in no more, and joined
 * others, which count where they deny. A group that was joined lets in no one: the peer itself does
 * not have it.
 */
export function withGroupChanges(
  { table, allow }: AccessFacts,
  { left, joined }: GroupChanges,
): AccessFacts {
  const groups = table.groups.flatMap((group) => {
    const { gid, localIpcAccess } = group;
    if (gid === null) return [group];
    if (localIpcAccess) return left.has(gid) ? [] : [group];
    // Without a gid it denies as if the peer were in it; on a list, the peer is not.
    return [joined.has(gid) ? { ...group, gid: null } : group];
  });
  return {
    table: { ...table, groups },
    allow: allow && { ...allow, gids: allow.gids.difference(left) },
  };
}
