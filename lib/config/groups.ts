/**
 * `groups:`.
 *
 * @module
 */
import type { Group } from "../policy/types.ts";
import type { Value } from "./document.ts";
import { type NamedEntry, readName, refuseDuplicates, refuseSameNames } from "./names.ts";
import type { Reader } from "./reader.ts";

/** The keys of a group. */
export const GROUP_KEYS = ["name", "gid", "local_ipc_access"] as const;

/** Reads the groups. A name or gid that stands twice, and names that look alike, are reported. */
export function readGroups(value: Value | null, reader: Reader): readonly Group[] {
  const groups = (reader.list(value) ?? []).map((one) => readGroup(one, reader))
    .filter((group) => group !== null);
  refuseSameNames(groups, "group", reader);
  const written = groups.filter(({ entry }) => entry.gid !== null);
  refuseDuplicates(written, "gid", (group) => group.entry.gid!, reader, (group) => group.idAt);
  return groups.map(({ entry }) => entry);
}

function readGroup(value: Value, reader: Reader): NamedEntry<Group> | null {
  const fields = reader.fields(value, GROUP_KEYS);
  if (fields === null) return null;
  const name = readName(fields.get("name"), fields, "group", reader);
  const access = fields.get("local_ipc_access");
  const localIpcAccess = reader.flag(access);
  if (name === null) return null;
  const nameAt = fields.get("name")!;
  const written = fields.get("gid");
  // Without a gid it is a group of the name service, which may not answer now.
  if (written === null) reader.nameGroup(name, nameAt);
  const gid = written === null ? null : reader.id(written, fields, "gid");
  if (written !== null && gid === null) return null;
  return {
    entry: { name, gid, localIpcAccess, at: value.at, accessAt: (access ?? value).at },
    nameAt,
    idAt: written ?? nameAt,
  };
}
