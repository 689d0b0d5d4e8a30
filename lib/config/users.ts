/**
 * `users:`.
 *
 * @module
 */
import type { User } from "../policy/types.ts";
import type { Value } from "./document.ts";
import {
  type NamedEntry,
  nameHint,
  readName,
  refuseDuplicates,
  refuseSameNames,
  type ReservedId,
  rootProblem,
} from "./names.ts";
import type { Reader } from "./reader.ts";

/** The keys of a user. */
export const USER_KEYS = ["name", "uid", "gid", "local_ipc_access", "admin"] as const;

/** Reads the users. A name or uid that stands twice, and names that look alike, are reported. */
export function readUsers(
  value: Value | null,
  reserved: ReservedId,
  reader: Reader,
): readonly User[] {
  const values = reader.list(value);
  reader.hasUnreadUsers ||= values?.some(isNameless) ?? true;
  if (value?.kind === "scalar" && value.isRefused === true) reader.hasUnreadUsers = true;
  const users = (values ?? []).map((one) => readUser(one, reserved, reader))
    .filter((user) => user !== null);
  refuseSameNames(users, "user", reader);
  refuseDuplicates(users, "uid", (user) => user.entry.uid, reader, (user) => user.idAt);
  return users.map(({ entry }) => entry);
}

/** Whether the name of an item cannot be known: no user, or an alias or merge key, stands there. */
function isNameless(item: Value): boolean {
  if (item.kind !== "map" || item.isPartial === true) return true;
  const name = item.entries.get("name")?.value;
  return name?.kind !== "scalar" || name.isRefused === true;
}

function readUser(value: Value, reserved: ReservedId, reader: Reader): NamedEntry<User> | null {
  const fields = reader.fields(value, USER_KEYS);
  if (fields === null) return null;
  const nameAt = fields.get("name");
  const name = readName(nameAt, fields, "user", reader);
  // Also a name that is refused: what means this user has no problem of its own.
  if (nameAt?.kind === "scalar") reader.userNames.add(nameAt.source);
  const uid = reader.id(fields.get("uid"), fields, "uid");
  if (uid === reserved.overflowUid) {
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
  const problem = rootProblem(name, uid);
  if (problem !== null) {
    reader.refuse(uid === 0 ? fields.get("uid")! : nameAt!, problem, rootHint(uid));
  }
  return {
    entry: { name, uid, gid, localIpcAccess, admin, at: value.at, accessAt: (access ?? value).at },
    nameAt: nameAt!,
    idAt: fields.get("uid")!,
  };
}

/** Root is let in without an entry, so an entry with uid 0 under another name is not needed. */
function rootHint(uid: number): string {
  return uid === 0
    ? "name it root, or remove the entry: root is let in without one"
    : nameHint("user");
}
