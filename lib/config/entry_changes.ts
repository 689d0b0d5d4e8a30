/**
 * Changes of the users and groups of a configuration, as data: pure.
 *
 * @module
 */
import type { Group, User } from "../policy/types.ts";

/** The value of a field; null for none. */
export type FieldValue = number | boolean | null;

/** The fields of a user or group by the keys of the file, all of them. */
export type EntryFields = Readonly<Record<string, FieldValue>>;

/** A user or group with its fields. */
export interface FieldsEntry {
  readonly kind: "user" | "group";
  readonly name: string;
  readonly fields: EntryFields;
}

/** A change of one user or group. */
export interface EntryEdit {
  readonly kind: FieldsEntry["kind"];
  readonly name: string;
  /** The fields that get another value; null where the entry is removed. */
  readonly set: EntryFields | null;
}

/** The entries of a configuration: its users, then its groups, each in the order of the file. */
export function entriesOf({ users, groups }: {
  readonly users: {
    map<T>(to: (user: Omit<User, "at" | "accessAt">) => T): T[];
  };
  readonly groups: readonly Omit<Group, "at" | "accessAt">[];
}): FieldsEntry[] {
  return [
    ...users.map(({ name, uid, gid, localIpcAccess, admin }): FieldsEntry => ({
      kind: "user",
      name,
      fields: { uid, gid, local_ipc_access: localIpcAccess, admin },
    })),
    ...groups.map(({ name, gid, localIpcAccess }): FieldsEntry => ({
      kind: "group",
      name,
      fields: { gid, local_ipc_access: localIpcAccess },
    })),
  ];
}

/** A text that an entry has alone: names of users and of groups may be the same. */
export function entryKey({ kind, name }: Pick<FieldsEntry, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** Entries by {@linkcode entryKey}. */
export function entriesByKey(
  entries: readonly FieldsEntry[],
): ReadonlyMap<string, FieldsEntry> {
  return new Map(entries.map((entry) => [entryKey(entry), entry]));
}

/**
 * The changes that turn some entries into others. The order of entries does not count.
 *
 * @returns Changed and removed entries in the order of `before`, then new ones with all their
 * fields.
 */
export function changesBetween(
  before: readonly FieldsEntry[],
  after: readonly FieldsEntry[],
): EntryEdit[] {
  const left = new Map(entriesByKey(after));
  const changes: EntryEdit[] = [];
  for (const { kind, name, fields } of before) {
    const key = entryKey({ kind, name });
    const now = left.get(key);
    left.delete(key);
    if (now === undefined) {
      changes.push({ kind, name, set: null });
      continue;
    }
    const set = Object.entries(now.fields).filter(([field, value]) => fields[field] !== value);
    if (set.length > 0) changes.push({ kind, name, set: Object.fromEntries(set) });
  }
  for (const { kind, name, fields } of left.values()) changes.push({ kind, name, set: fields });
  return changes;
}
