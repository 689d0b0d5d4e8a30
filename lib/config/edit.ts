/**
 * Edits of who is listed: pure, text → text. Each is checked by reading both texts: exactly the intended
 * change must have happened, else nothing is written.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { isName, MAX_ID, parseId } from "../policy/id.ts";
import { shellWord } from "../text/shell_word.ts";
import type { User } from "../policy/types.ts";
import type { NameLookup } from "./names.ts";
import { parseConfig } from "./schema.ts";
import { scalarText, type UserFields, UsersText } from "./users_text.ts";
import type { Config } from "./types.ts";

/** What is known of a user before it is written. */
export type NewUser = Pick<User, "name" | "uid" | "gid" | "localIpcAccess" | "admin">;

/** What an edit works on. */
export interface EditContext {
  /** How the file is named in messages. */
  readonly path: string;
  readonly names: NameLookup;
  /** What the commands of hints need to reach the same file, such as ` --config FILE`; empty if left out. */
  readonly flags?: string;
}

/** The fields that can be set. */
export const USER_FIELDS = ["uid", "gid", "local_ipc_access", "admin"] as const;

/**
 * Adds a user.
 *
 * @throws {Failure} 73 when the name or the uid is listed, 64 when it cannot be, 78 when the file is bad.
 */
export function addUser(text: string, user: NewUser, context: EditContext): string {
  const before = parseConfig(text, context.path, context.names);
  if (!isName(user.name)) {
    throw invalid(
      `${JSON.stringify(user.name)} cannot be a user's name: it has no blanks, quotes, commas or ` +
        "colons, is not a number, does not begin with @ or -, and is at most 64 characters long",
    );
  }
  if (before.access.usersByName.has(user.name)) {
    throw new Failure(`There is a user ${user.name} already`, {
      exit: ExitCode.exists,
      hint: `ipcauth users show ${shellWord(user.name)}${context.flags ?? ""}`,
    });
  }
  demandUid(user.uid, null, before, context);
  const fields: UserFields = {
    name: scalarText(user.name),
    uid: scalarText(user.uid),
    ...user.gid === null ? {} : { gid: scalarText(user.gid) },
    local_ipc_access: scalarText(user.localIpcAccess),
    ...user.admin ? { admin: "true" } : {},
  };
  const users = [...before.access.users, user];
  return verified(new UsersText(text).add(fields), before, users, context);
}

/**
 * Removes a user.
 *
 * @throws {Failure} 65 when there is none of that name, 78 when the file is bad or a listener names the
 * user, too.
 */
export function removeUser(text: string, name: string, context: EditContext): string {
  const before = parseConfig(text, context.path, context.names);
  demandUser(name, before, context);
  demandUnnamed(name, before);
  const users = before.access.users.filter((user) => user.name !== name);
  return verified(new UsersText(text).remove(name), before, users, context);
}

/**
 * Sets a field of a user. Where it has the value already, the text comes back as it was.
 *
 * @throws {Failure} 65 when there is no such user, 64 for a field or value that cannot be, 73 when the
 * uid is another user's, 78 when the file is bad.
 */
export function setUserField(
  text: string,
  name: string,
  field: string,
  value: string,
  context: EditContext,
): string {
  const before = parseConfig(text, context.path, context.names);
  const user = demandUser(name, before, context);
  const changed = change(user, field, value, before, context);
  if (sameUser(user, changed)) return text;
  const users = before.access.users.map((one) => one.name === name ? changed : one);
  return verified(new UsersText(text).set(name, field, value), before, users, context);
}

function change(
  user: User,
  field: string,
  value: string,
  config: Config,
  context: EditContext,
): NewUser {
  const flag = (): boolean => {
    if (value === "true" || value === "false") return value === "true";
    throw invalid(`${field} is true or false, not ${JSON.stringify(value)}`);
  };
  const id = (): number => {
    const number = parseId(value);
    if (number !== null) return number;
    throw invalid(
      `${JSON.stringify(value)} is not an id: it is a whole number from 0 to ${MAX_ID}`,
    );
  };
  switch (field) {
    case "local_ipc_access":
      return { ...user, localIpcAccess: flag() };
    case "admin":
      return { ...user, admin: flag() };
    case "gid":
      return { ...user, gid: id() };
    case "uid":
      demandUid(id(), user.name, config, context);
      return { ...user, uid: id() };
    default:
      throw invalid(
        `A user has no field ${JSON.stringify(field)}; the fields are ${USER_FIELDS.join(", ")}`,
      );
  }
}

function demandUser(name: string, config: Config, { flags = "" }: EditContext): User {
  const user = config.access.usersByName.get(name);
  if (user !== undefined) return user;
  throw new Failure(`There is no user ${JSON.stringify(name)} in ${config.path}`, {
    exit: ExitCode.data,
    hint: `ipcauth users list${flags}`,
  });
}

/** A listener that names somebody who is not listed would make the configuration a bad one. */
function demandUnnamed(name: string, { listeners, path }: Config): void {
  for (const { allow, service, at, ...rest } of listeners ?? []) {
    const key = "keys" in rest ? rest.keys.find(({ user }) => user === name) : undefined;
    const runs = service.kind === "exec" && typeof service.runAs === "object" &&
      service.runAs.user === name;
    const place = key?.at ?? (allow?.users.has(name) ? allow.at : runs ? at : null);
    if (place === null) continue;
    throw new Failure(
      `Cannot remove ${name}: ${path}:${place.line}:${place.column} names this user, too`,
      { exit: ExitCode.config, hint: `edit ${path}, line ${place.line}` },
    );
  }
}

function demandUid(
  uid: number,
  own: string | null,
  config: Config,
  { names, flags = "" }: EditContext,
): void {
  if (uid === names.overflowUid) {
    throw invalid(`${uid} is the overflow uid: it stands for everyone without a mapping`);
  }
  const holder = config.access.usersByUid.get(uid);
  if (holder === undefined || holder.name === own) return;
  throw new Failure(`The uid ${uid} is ${holder.name}'s already`, {
    exit: ExitCode.exists,
    hint: `ipcauth users show ${shellWord(holder.name)}${flags}`,
  });
}

/** The edited text, once it has been read again and says what was meant and nothing else. */
function verified(
  text: string,
  before: Config,
  users: readonly NewUser[],
  { path, names }: EditContext,
): string {
  let after: Config;
  try {
    after = parseConfig(text, path, names);
  } catch (cause) {
    throw unedited(path, cause);
  }
  const people = after.access.users;
  const intended = people.length === users.length &&
    people.every((user, index) => sameUser(user, users[index]!));
  if (!intended || remainder(after) !== remainder(before)) throw unedited(path, undefined);
  return text;
}

function sameUser(one: NewUser, other: NewUser): boolean {
  return one.name === other.name && one.uid === other.uid && one.gid === other.gid &&
    one.localIpcAccess === other.localIpcAccess && one.admin === other.admin;
}

/** Everything but the users, without the places, which an edit moves. */
function remainder({ listeners, limits, log, access }: Config): string {
  return JSON.stringify(
    { listeners, limits, log, groups: access.groups },
    (key, value) => key === "at" || key === "accessAt" ? undefined : plain(value),
  );
}

function plain(value: unknown): unknown {
  return value instanceof Set ? [...value] : value;
}

function invalid(message: string): Failure {
  return new Failure(message, { exit: ExitCode.usage, hint: "ipcauth help users" });
}

function unedited(path: string, cause: unknown): Failure {
  return new Failure(`Cannot edit ${path} without changing more than was meant`, {
    exit: ExitCode.software,
    hint: `edit ${path} by hand; nothing was written`,
    cause,
  });
}
