import { assertEquals } from "@std/assert";
import { groupChanges, withGroupChanges } from "../../lib/policy/group_changes.ts";
import type { AccessTable } from "../../lib/policy/types.ts";

const at = { line: 1, column: 1 };
const group = (name: string, gid: number | null, localIpcAccess: boolean) => ({
  ...{ name, gid, localIpcAccess, at, accessAt: at },
});
const table: AccessTable = {
  users: [],
  usersByUid: new Map(),
  usersByName: new Map(),
  groups: [
    group("netops", 1, true),
    group("others", 2, true),
    group("unknown", null, true),
    group("interns", 3, false),
    group("visitors", 4, false),
  ],
};

Deno.test("groupChanges() says what was left and joined, and nothing where nothing was", () => {
  assertEquals(groupChanges([1, 2], [2, 1]), null);
  assertEquals(groupChanges([1, 2], [2, 3]), { left: new Set([1]), joined: new Set([3]) });
});

Deno.test("a group that was left lets in no one, and one that was joined only denies", () => {
  const allow = { users: new Set<string>(), gids: new Set([1, 2]), unknownGroups: new Set(), at };
  const facts = { table, allow: allow as never, groups: [1, 3] };
  const changed = withGroupChanges(facts, { left: new Set([1, 3]), joined: new Set([2, 4, 9]) });
  // The kernel still says that the peer is in the one that denies.
  const names = changed.table.groups.map(({ name }) => name);
  assertEquals(names, ["others", "unknown", "interns", "visitors"]);
  assertEquals(changed.allow!.gids, new Set([2]));
  assertEquals(changed.groups, [1, 3, 4]);
  const unknown = { table, allow: null, groups: null };
  const result = withGroupChanges(unknown, { left: new Set(), joined: new Set([4]) });
  assertEquals([result.allow, result.groups], [null, null]);
});
