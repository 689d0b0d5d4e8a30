/**
 * The gids of groups that the file names without one: pure, configuration and known gids → what a
 * decision reads.
 *
 * @module
 */
import type { AccessTable, AllowList } from "./types.ts";

/** Finds the gid of a group name; null where it is not known. */
export type GroupLookup = (name: string) => number | null;

/** The table with the gids that are known. */
export function withGroupIds(table: AccessTable, gidOf: GroupLookup): AccessTable {
  if (table.groups.every(({ gid }) => gid !== null)) return table;
  const groups = table.groups.map((group) =>
    group.gid === null ? { ...group, gid: gidOf(group.name) } : group
  );
  return { ...table, groups };
}

/** The list with the gids that are known. */
export function withAllowedIds(allow: AllowList, gidOf: GroupLookup): AllowList {
  if (allow.unknownGroups.size === 0) return allow;
  const gids = new Set(allow.gids);
  const unknownGroups = new Set<string>();
  for (const name of allow.unknownGroups) {
    const gid = gidOf(name);
    if (gid === null) unknownGroups.add(name);
    else gids.add(gid);
  }
  return { ...allow, gids, unknownGroups };
}
