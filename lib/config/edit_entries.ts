/**
 * Many changes of users and groups as one edit: pure, text → text, checked as a single change is.
 *
 * All changes are made together, so two users can exchange their uids.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { groupValues, userValues } from "./config_text.ts";
import {
  type EditedUser,
  type NewUser,
  requireMappedUid,
  requireRootItself,
  requireUnnamed,
} from "./edit.ts";
import { type NewGroup, requireUnnamedGroup } from "./edit_groups.ts";
import { GROUP_FIELDS, USER_FIELDS } from "./fields.ts";
import {
  entriesByKey,
  entriesOf,
  type EntryEdit,
  entryKey,
  type FieldsEntry,
  type FieldValue,
} from "./entry_changes.ts";
import { scalarText } from "./entry_style.ts";
import { editOthers, editUsers } from "./extract_edit.ts";
import { editList, type ListEdit } from "./list_edit.ts";
import { looksOf } from "./name_looks.ts";
import { nameHint, nameProblem, similarity } from "./names.ts";
import { parseConfig } from "./schema.ts";
import type { Config } from "./types.ts";
import { commandsOf, type FileContext, invalid, verified } from "./verified_edit.ts";

/** A change of one group. */
export interface EditedGroup {
  readonly verb: "add" | "remove" | "set";
  /** The group to be added, else the group as it stands in the file. */
  readonly group: NewGroup;
  /** The field that is set; null for the other verbs. */
  readonly field: string | null;
}

/** The file that changes are for, and who makes them. */
export interface EntriesContext extends FileContext {
  /** Checks the file before anything is changed. What it throws ends the edit. */
  readonly inspect?: (before: Config) => void;
  /** Checks that a change may be made, before its values are. What it throws ends the edit. */
  readonly authorizeUser?: (edited: EditedUser, before: Config) => void;
  /** The same of a group. */
  readonly authorizeGroup?: (edited: EditedGroup, before: Config) => void;
}

/** What an edit comes to. */
export interface EntriesResult {
  readonly text: string;
  /** The entries of the file before and after the edit. */
  readonly before: readonly FieldsEntry[];
  readonly after: readonly FieldsEntry[];
}

/**
 * Makes changes.
 *
 * @param text The content of the file.
 * @param changes At most one for each entry. One that sets fields of an entry that there is not
 * adds it.
 * @throws {Failure} 65 when an entry is missing or has no uid, 64 for a name or a value that cannot
 * be, 73 when a uid or gid is another's, 78 when the file is bad or a listener names what is
 * removed, 70 when the edit would change more.
 */
export function editEntries(
  text: string,
  changes: readonly EntryEdit[],
  context: EntriesContext,
): EntriesResult {
  const config = parseConfig(text, context.path, context.reserved, true);
  context.inspect?.(config);
  const before = entriesOf(config.access);
  const table = new Map(entriesByKey(before));
  const changed = new Map<string, EntryEdit>();
  for (const change of changes) {
    const key = entryKey(change);
    if (changed.has(key)) {
      throw invalid(`There are two changes of the ${key}`, "make one of them");
    }
    changed.set(key, change);
    const entry = changedEntry(change, table.get(key), config, context);
    if (entry === null) table.delete(key);
    else table.set(key, entry);
  }
  const after = [...table.values()];
  const ofKind = (kind: FieldsEntry["kind"]) => after.filter((entry) => entry.kind === kind);
  const users = ofKind("user").map(userOf);
  const groups = ofKind("group").map(groupOf);
  checkUsers(users, changed, context);
  checkGroups(groups, changed);
  const listed = (kind: FieldsEntry["kind"]) => before.filter((entry) => entry.kind === kind);
  const edit = listEdit(listed("user"), changed, table, "user");
  let edited = editUserList(text, listed("user").length, edit);
  const others = listEdit(listed("group"), changed, table, "group");
  edited = editOthers(edited, (part) => editList(part, "groups", others));
  if (edited !== text) {
    const values = { users: users.map(userValues), groups: groups.map(groupValues) };
    verified(edited, config, values, context);
  }
  return { text: edited, before, after: entriesOf({ users, groups }) };
}

/** The entry after a change; null where it is removed. */
function changedEntry(
  { kind, name, set }: EntryEdit,
  entry: FieldsEntry | undefined,
  config: Config,
  context: EntriesContext,
): FieldsEntry | null {
  const authorize = (verb: EditedUser["verb"], subject: FieldsEntry, field: string | null) =>
    kind === "user"
      ? context.authorizeUser?.({ verb, user: userOf(subject), field }, config)
      : context.authorizeGroup?.({ verb, group: groupOf(subject), field }, config);
  if (set === null) {
    if (entry === undefined) throw absent(kind, name, config, context);
    authorize("remove", entry, null);
    if (kind === "user") requireUnnamed(name, config);
    else requireUnnamedGroup(groupOf(entry), config);
    return null;
  }
  if (entry === undefined) {
    const added: FieldsEntry = { kind, name, fields: { ...NO_FIELDS[kind], ...set } };
    requireFields(added, set);
    authorize("add", added, null);
    return added;
  }
  for (const field of Object.keys(set)) authorize("set", entry, field);
  requireFields(entry, set);
  return { ...entry, fields: { ...entry.fields, ...set } };
}

/** The fields that an entry has where it is added without them. */
const NO_FIELDS = {
  user: { uid: null, gid: null, local_ipc_access: false, admin: false },
  group: { gid: null, local_ipc_access: false },
} as const;

/** @throws {Failure} 64 for an unknown field, 65 for a user without a uid. */
function requireFields(
  { kind, name, fields }: FieldsEntry,
  set: Readonly<Record<string, FieldValue>>,
): void {
  const known: readonly string[] = kind === "user" ? USER_FIELDS : GROUP_FIELDS;
  for (const field of Object.keys(set)) {
    if (known.includes(field)) continue;
    throw invalid(
      `A ${kind} has no field ${JSON.stringify(field)}; the fields are ${known.join(", ")}`,
      `give it one of them`,
    );
  }
  const uid = Object.hasOwn(set, "uid") ? set.uid : fields.uid;
  if (kind === "group" || typeof uid === "number") return;
  throw new Failure(`The user ${JSON.stringify(name)} has no uid`, {
    exit: ExitCode.data,
    hint: `give it one: uid N`,
  });
}

/** @throws {Failure} 64 and 73 for a name or a uid that a changed user cannot have. */
function checkUsers(
  users: readonly NewUser[],
  changed: ReadonlyMap<string, EntryEdit>,
  context: EntriesContext,
): void {
  const isChanged = ({ name }: NewUser) => changed.has(entryKey({ kind: "user", name }));
  const holders = new Map<number, string>();
  const looks = new Map<string, string>();
  const note = ({ name, uid }: NewUser) => {
    holders.set(uid, name);
    if (changed.size > 0) { for (const look of looksOf(name)) looks.set(look, name); }
  };
  users.filter((user) => !isChanged(user)).forEach(note);
  for (const user of users.filter(isChanged)) {
    const { name, uid } = user;
    requirePossibleName(name, "user", looks);
    requireRootItself(name, uid, context);
    requireMappedUid(uid, context);
    const holder = holders.get(uid);
    if (holder !== undefined) {
      throw new Failure(`The uid ${uid} is ${holder}'s already`, {
        exit: ExitCode.exists,
        hint: commandsOf(context).show(holder),
      });
    }
    note(user);
  }
}

/** @throws {Failure} 64 and 73 for a name or a gid that a changed group cannot have. */
function checkGroups(
  groups: readonly NewGroup[],
  changed: ReadonlyMap<string, EntryEdit>,
): void {
  const isChanged = ({ name }: NewGroup) => changed.has(entryKey({ kind: "group", name }));
  const holders = new Map<number, string>();
  const looks = new Map<string, string>();
  const note = ({ name, gid }: NewGroup) => {
    if (gid !== null) holders.set(gid, name);
    for (const look of looksOf(name)) looks.set(look, name);
  };
  groups.filter((group) => !isChanged(group)).forEach(note);
  for (const group of groups.filter(isChanged)) {
    requirePossibleName(group.name, "group", looks);
    const holder = group.gid === null ? undefined : holders.get(group.gid);
    if (holder !== undefined) {
      throw new Failure(`The gid ${group.gid} is that of the group ${holder} already`, {
        exit: ExitCode.exists,
        hint: `choose another gid, or set that of ${holder} in the same commit`,
      });
    }
    note(group);
  }
}

/** @param looks The other names, by what they look like. */
function requirePossibleName(
  name: string,
  kind: "user" | "group",
  looks: ReadonlyMap<string, string>,
): void {
  const problem = nameProblem(name, kind);
  if (problem !== null) {
    throw invalid(
      `${JSON.stringify(name)} cannot be a ${kind}'s name: it ${problem}`,
      nameHint(kind),
    );
  }
  for (const look of looksOf(name)) {
    const other = looks.get(look);
    if (other !== undefined) throw invalid(similarity(name, other), nameHint(kind));
  }
}

/** The edit of one list that makes the changes of its kind. */
function listEdit(
  listed: readonly FieldsEntry[],
  changed: ReadonlyMap<string, EntryEdit>,
  table: ReadonlyMap<string, FieldsEntry>,
  kind: EntryEdit["kind"],
): ListEdit {
  const set = new Map<number, Readonly<Record<string, string | null>>>();
  const remove = new Set<number>();
  const left = new Set([...changed].filter(([, one]) => one.kind === kind).map(([key]) => key));
  for (const [index, entry] of listed.entries()) {
    const key = entryKey(entry);
    if (!left.delete(key)) continue;
    const fields = changed.get(key)!.set;
    const texts = fields === null ? {} : textsOf(fields, entry.fields);
    if (fields === null) remove.add(index);
    else if (Object.keys(texts).length > 0) set.set(index, texts);
  }
  const add = [...left].map((key) => {
    const { name, fields } = table.get(key)!;
    // A gid that there is none of and `admin: false` are left out, as `users add` does.
    const given = Object.entries(fields).filter(([field, value]) =>
      value !== null && (field !== "admin" || value === true)
    );
    return {
      name: scalarText(name),
      ...Object.fromEntries(given.map(([field, value]) => [field, scalarText(value!)])),
    };
  });
  return { set, remove, add };
}

/**
 * Edits the users.
 *
 * @param count How many there are.
 */
function editUserList(text: string, count: number, { set, remove, add }: ListEdit): string {
  // The last one that stays: new ones follow it, and without it the list would be empty.
  let last = count - 1;
  while (remove.has(last)) last--;
  const keep = [...new Set([...set.keys(), ...remove, ...last < 0 ? [] : [last]])];
  return editUsers(
    text,
    keep.sort((one, other) => one - other),
    (part, found) =>
      editList(part, "users", {
        set: new Map(set.entries().map(([index, fields]) => [found(index), fields])),
        remove: new Set(remove.values().map(found)),
        add,
      }),
  );
}

/** The values that differ from those of the file, as YAML scalars. */
function textsOf(
  fields: Readonly<Record<string, FieldValue>>,
  before: Readonly<Record<string, FieldValue>>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Object.entries(fields).filter(([field, value]) => value !== before[field])
      .map(([field, value]) => [field, value === null ? null : scalarText(value)]),
  );
}

function userOf({ name, fields }: FieldsEntry): NewUser {
  return {
    name,
    uid: fields.uid as number,
    gid: fields.gid as number | null,
    localIpcAccess: fields.local_ipc_access === true,
    admin: fields.admin === true,
  };
}

function groupOf({ name, fields }: FieldsEntry): NewGroup {
  return {
    name,
    gid: fields.gid as number | null,
    localIpcAccess: fields.local_ipc_access === true,
  };
}

function absent(
  kind: EntryEdit["kind"],
  name: string,
  { path }: Config,
  context: EntriesContext,
): Failure {
  return new Failure(`There is no ${kind} ${JSON.stringify(name)} in ${path}`, {
    exit: ExitCode.data,
    hint: kind === "user" ? commandsOf(context).list : "show config",
  });
}
