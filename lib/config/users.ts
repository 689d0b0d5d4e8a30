/**
 * `users:` and `groups:`.
 *
 * @module
 */
import { isName } from "../policy/id.ts";
import type { AccessTable, Group, Position, User } from "../policy/types.ts";
import type { Place, Value } from "./document.ts";
import type { Reader } from "./reader.ts";

/** What a configuration's reading needs to know of the names. */
export interface NameLookup {
  /** Stands for every uid that has no mapping. */
  readonly overflowUid: number;
  /** The gid of a group in the name service, or null. */
  groupId(name: string): number | null;
}

/** Reads who is listed. */
export function readAccessTable(
  users: Value | null,
  groups: Value | null,
  names: NameLookup,
  reader: Reader,
): AccessTable {
  const listed = reader.list(users).map((value) => readUser(value, names, reader))
    .filter((user) => user !== null);
  const teams = reader.list(groups).map((value) => readGroup(value, names, reader))
    .filter((group) => group !== null);
  refuseTwice(listed, "user", (user) => user.name, reader, (user) => user.nameAt);
  refuseTwice(listed, "uid", (user) => user.user.uid, reader, (user) => user.idAt);
  refuseTwice(teams, "group", (group) => group.name, reader, (group) => group.nameAt);
  refuseTwice(teams, "gid", (group) => group.group.gid, reader, (group) => group.idAt);
  const people = listed.map(({ user }) => user);
  return {
    users: people,
    usersByUid: new Map(people.map((user) => [user.uid, user])),
    usersByName: new Map(people.map((user) => [user.name, user])),
    groups: teams.map(({ group }) => group),
  };
}

interface ReadUser {
  readonly name: string;
  readonly user: User;
  readonly nameAt: Place;
  readonly idAt: Place;
}

function readUser(value: Value, names: NameLookup, reader: Reader): ReadUser | null {
  const fields = reader.fields(value, ["name", "uid", "gid", "local_ipc_access", "admin"]);
  if (fields === null) return null;
  const name = readName(fields.get("name"), fields, reader);
  const uid = reader.id(fields.get("uid"), fields, "uid");
  if (uid === names.overflowUid) {
    reader.refuse(
      fields.get("uid")!,
      `${uid} is the overflow uid: it stands for everyone without a mapping, and is always refused`,
    );
  }
  const gid = fields.get("gid") === null ? null : reader.id(fields.get("gid"), fields, "gid");
  const access = fields.get("local_ipc_access");
  const localIpcAccess = reader.flag(access);
  const admin = reader.flag(fields.get("admin"));
  if (name === null || uid === null) return null;
  return {
    name,
    nameAt: fields.get("name")!,
    idAt: fields.get("uid")!,
    user: { name, uid, gid, localIpcAccess, admin, at: value.at, accessAt: (access ?? value).at },
  };
}

interface ReadGroup {
  readonly name: string;
  readonly group: Group;
  readonly nameAt: Place;
  readonly idAt: Place;
}

function readGroup(value: Value, names: NameLookup, reader: Reader): ReadGroup | null {
  const fields = reader.fields(value, ["name", "gid", "local_ipc_access"]);
  if (fields === null) return null;
  const name = readName(fields.get("name"), fields, reader);
  const access = fields.get("local_ipc_access");
  const localIpcAccess = reader.flag(access);
  if (name === null) return null;
  const nameAt = fields.get("name")!;
  const written = fields.get("gid");
  const gid = written === null
    ? names.groupId(name) ??
      reader.refuse(nameAt, `this machine knows no group "${name}"`, "give its gid: gid: N")
    : reader.id(written, fields, "gid");
  if (gid === null) return null;
  return {
    name,
    nameAt,
    idAt: written ?? nameAt,
    group: { name, gid, localIpcAccess, at: value.at, accessAt: (access ?? value).at },
  };
}

function readName(value: Value | null, place: Place, reader: Reader): string | null {
  const name = reader.text(value, place, "the name");
  if (name === null || isName(name)) return name;
  return reader.refuse(
    value ?? place,
    `${JSON.stringify(name)} cannot be a name: it has no blanks, quotes, commas or colons, ` +
      "is not a number, does not begin with @ or -, and is at most 64 characters long",
  );
}

function refuseTwice<T>(
  all: readonly T[],
  what: string,
  key: (one: T) => string | number,
  reader: Reader,
  place: (one: T) => Place,
): void {
  const first = new Map<string | number, Position>();
  for (const one of all) {
    const before = first.get(key(one));
    if (before === undefined) first.set(key(one), place(one).at);
    else reader.refuse(place(one), `the ${what} ${key(one)} stands already in line ${before.line}`);
  }
}
