/**
 * What has changed between two lists of users: pure.
 *
 * @module
 */
import type { AccessTable, User } from "../policy/types.ts";
import { SharedUsers } from "./shared_users.ts";

/** How many changes are named; of the others, the number is. */
export const MAX_NAMED = 32;

/** Changes of users. */
export interface UserChanges {
  /** Such as `user bob added`, at most {@linkcode MAX_NAMED}. */
  readonly named: readonly string[];
  /** The number of the others. */
  readonly more: number;
}

/** Finds users that were added, changed and removed, in this order. */
export function userChanges(
  { users: before, usersByName: old }: AccessTable,
  { users: after, usersByName: now }: AccessTable,
): UserChanges {
  // Almost all users of a long list are where they were, and only the others are looked up.
  const same = sameUsers(before, after);
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && same(start, start)) start++;
  let [oldEnd, end] = [before.length, after.length];
  while (oldEnd > start && end > start && same(oldEnd - 1, end - 1)) {
    oldEnd--;
    end--;
  }
  const named: string[] = [];
  let more = 0;
  const add = (change: string): void => {
    if (named.length < MAX_NAMED) named.push(change);
    else more++;
  };
  let removed = oldEnd - start;
  for (let index = start; index < end; index++) {
    const user = after.at(index)!;
    const former = old.get(user.name);
    if (former === undefined) {
      add(`user ${user.name} added`);
      continue;
    }
    removed--;
    fieldChanges(former, user).forEach(add);
  }
  for (let index = start; removed > 0 && named.length < MAX_NAMED; index++) {
    const { name } = before.at(index)!;
    if (now.has(name)) continue;
    add(`user ${name} removed`);
    removed--;
  }
  return { named, more: more + removed };
}

function sameUsers(
  before: AccessTable["users"],
  after: AccessTable["users"],
): (one: number, other: number) => boolean {
  return before instanceof SharedUsers && after instanceof SharedUsers
    ? (one, other) => before.isSame(one, after, other)
    : (one, other) => isSameUser(before.at(one)!, after.at(other)!);
}

function isSameUser(one: User, other: User): boolean {
  return one.name === other.name && one.uid === other.uid && one.gid === other.gid &&
    one.localIpcAccess === other.localIpcAccess && one.admin === other.admin;
}

function fieldChanges(before: User, after: User): string[] {
  const fields = [
    ["uid", before.uid, after.uid],
    ["gid", before.gid ?? "none", after.gid ?? "none"],
    ["local_ipc_access", before.localIpcAccess, after.localIpcAccess],
    ["admin", before.admin, after.admin],
  ] as const;
  return fields.filter(([, old, now]) => old !== now)
    .map(([field, old, now]) => `user ${after.name} ${field} ${old} → ${now}`);
}
