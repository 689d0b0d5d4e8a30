import { assertEquals, assertStrictEquals } from "@std/assert";
import { withAllowedIds, withGroupIds } from "../../lib/policy/group_ids.ts";
import type { AccessTable, AllowList, Group } from "../../lib/policy/types.ts";

const AT = { line: 1, column: 1 };

function group(name: string, gid: number | null): Group {
  return { name, gid, localIpcAccess: true, at: AT, accessAt: AT };
}

function table(...groups: Group[]): AccessTable {
  return { users: [], usersByUid: new Map(), usersByName: new Map(), groups };
}

function gidOf(name: string): number | null {
  return new Map([["netops", 3000], ["wheel", 0]]).get(name) ?? null;
}

Deno.test("withGroupIds() fills in the gids that are known, and changes none of the file", () => {
  const file = table(group("netops", 2000), group("netops", null), group("gone", null));
  assertEquals(withGroupIds(file, gidOf).groups.map(({ gid }) => gid), [2000, 3000, null]);
  const complete = table(group("netops", 2000), group("other", 1));
  assertStrictEquals(withGroupIds(complete, gidOf), complete);
});

Deno.test("withAllowedIds() adds the gids that are known, and keeps the names of the others", () => {
  const list: AllowList = {
    users: new Set(["bob"]),
    gids: new Set([2000]),
    unknownGroups: new Set(["netops", "gone", "wheel"]),
    at: AT,
  };
  assertEquals(withAllowedIds(list, gidOf), {
    users: new Set(["bob"]),
    gids: new Set([2000, 3000, 0]),
    unknownGroups: new Set(["gone"]),
    at: AT,
  });
  const complete = { ...list, unknownGroups: new Set<string>() };
  assertStrictEquals(withAllowedIds(complete, gidOf), complete);
});
