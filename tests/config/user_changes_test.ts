/** The changes of users are those that a comparison name by name finds, for all short lists. */
import { assertEquals } from "@std/assert";
import { userChanges } from "../../lib/config/user_changes.ts";
import type { AccessTable, User } from "../../lib/policy/types.ts";

const at = { line: 1, column: 1 };
const user = (name: string, uid: number, admin: boolean): User => ({
  ...{ name, uid, gid: null, localIpcAccess: false, admin, at, accessAt: at },
});
const CHOICES = [
  ...[user("a", 1, false), user("a", 2, false), user("b", 3, false), user("b", 3, true)],
  user("c", 4, false),
];

/** All lists of at most three of the users, with different names. */
function lists(): User[][] {
  const found: User[][] = [[]];
  for (const list of found) {
    if (list.length === 3) continue;
    for (const one of CHOICES) {
      if (list.every(({ name }) => name !== one.name)) found.push([...list, one]);
    }
  }
  return found;
}

function table(users: readonly User[]): AccessTable {
  return {
    users,
    usersByUid: new Map(),
    usersByName: new Map(users.map((one) => [one.name, one])),
    groups: [],
  };
}

/** The changes, found name by name. */
function expected(before: readonly User[], after: readonly User[]): string[] {
  const changes = after.flatMap((one) => {
    const former = before.find(({ name }) => name === one.name);
    if (former === undefined) return [`user ${one.name} added`];
    const uid = `user ${one.name} uid ${former.uid} → ${one.uid}`;
    const admin = `user ${one.name} admin ${former.admin} → ${one.admin}`;
    return [
      ...former.uid === one.uid ? [] : [uid],
      ...former.admin === one.admin ? [] : [admin],
    ];
  });
  const removed = before.filter(({ name }) => after.every((one) => one.name !== name));
  return [...changes, ...removed.map(({ name }) => `user ${name} removed`)];
}

Deno.test("userChanges() finds what a comparison name by name finds", () => {
  const tables = lists().map(table);
  for (const before of tables) {
    for (const after of tables) {
      const named = expected([...before.users], [...after.users]);
      assertEquals(userChanges(before, after), { named, more: 0 });
    }
  }
});

Deno.test("userChanges() names 32 changes at most, and counts every other one", () => {
  const many = (from: number, to: number) =>
    table(Array.from({ length: to - from }, (_, index) => user(`u${from + index}`, index, false)));
  for (const [count, named, more] of [[31, 31, 0], [32, 32, 0], [33, 32, 1]] as const) {
    const added = userChanges(many(0, 0), many(0, count));
    assertEquals([added.named.length, added.more], [named, more]);
    const removed = userChanges(many(0, count), many(0, 0));
    assertEquals([removed.named.length, removed.more], [named, more]);
    assertEquals(removed.named.at(-1), `user u${named - 1} removed`);
  }
  const both = userChanges(many(0, 20), many(20, 40));
  assertEquals([both.named.length, both.more, both.named.at(-1)], [32, 8, "user u11 removed"]);
});
