/**
 * `users:`.
 *
 * @module
 */
import type { User } from "../policy/types.ts";
import type { Value } from "./document.ts";
import { type NamedEntry, type NameLookup, readName, refuseDuplicates } from "./names.ts";
import type { Reader } from "./reader.ts";

/** The keys of a user. */
export const USER_KEYS = ["name", "uid", "gid", "local_ipc_access", "admin"] as const;

/** Reads the users. A name or uid that stands twice is reported. */
export function readUsers(
  value: Value | null,
  names: NameLookup,
  reader: Reader,
): readonly User[] {
  const users = reader.list(value).map((one) => readUser(one, names, reader))
    .filter((user) => user !== null);
  refuseDuplicates(users, "user", (user) => user.entry.name, reader, (user) => user.nameAt);
  refuseDuplicates(users, "uid", (user) => user.entry.uid, reader, (user) => user.idAt);
  return users.map(({ entry }) => entry);
}

function readUser(value: Value, names: NameLookup, reader: Reader): NamedEntry<User> | null {
  const fields = reader.fields(value, USER_KEYS);
  if (fields === null) return null;
  const name = readName(fields.get("name"), fields, reader);
  const uid = reader.id(fields.get("uid"), fields, "uid");
  if (uid === names.overflowUid) {
    reader.refuse(
      fields.get("uid")!,
      `${uid} is the overflow uid: it stands for every uid without a mapping, and is refused`,
    );
  }
  const gid = fields.get("gid") === null ? null : reader.id(fields.get("gid"), fields, "gid");
  const access = fields.get("local_ipc_access");
  const localIpcAccess = reader.flag(access);
  const admin = reader.flag(fields.get("admin"));
  if (name === null || uid === null) return null;
  return {
    entry: { name, uid, gid, localIpcAccess, admin, at: value.at, accessAt: (access ?? value).at },
    nameAt: fields.get("name")!,
    idAt: fields.get("uid")!,
  };
}
