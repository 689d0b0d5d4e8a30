import { assertEquals } from "@std/assert";
import { groupChanges, withGroupChanges } from "../../lib/policy/group_changes.ts";
import { decide } from "../../lib/policy/decide.ts";
import { type AccessTable, UNLIMITED } from "../../lib/policy/types.ts";

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
  const facts = { table, allow: allow as never };
  const changed = withGroupChanges(facts, { left: new Set([1, 3]), joined: new Set([2, 4, 9]) });
  // The kernel still says that the peer is in the one that denies and that it has left.
  const groups = changed.table.groups.map(({ name, gid }) => [name, gid]);
  assertEquals(groups, [["others", 2], ["unknown", null], ["interns", 3], ["visitors", null]]);
  assertEquals(changed.allow!.gids, new Set([2]));
  const none = withGroupChanges({ table, allow: null }, { left: new Set(), joined: new Set([9]) });
  assertEquals(none, { table, allow: null });
});

Deno.test("a group that was joined and denies keeps no one on a list", () => {
  const allow = { users: new Set<string>(), gids: new Set([1, 4]), unknownGroups: new Set(), at };
  const user = {
    ...{ name: "bob", uid: 579, gid: null, localIpcAccess: true, admin: false, at },
    accessAt: at,
  };
  const access = { ...table, usersByUid: new Map([[579, user as never]]) };
  const changes = { left: new Set([1]), joined: new Set([4]) };
  const followed = withGroupChanges({ table: access, allow: allow as never }, changes);
  const peer = { credentials: { pid: 1, uid: 579, gid: 579 }, groups: [1] };
  const hostFacts = { serverUid: 0, overflowUid: 65534 };
  const decision = decide(peer, followed.table, followed.allow, hostFacts as never, UNLIMITED);
  assertEquals(decision.allow || decision.reason, "not-on-listener");
});
