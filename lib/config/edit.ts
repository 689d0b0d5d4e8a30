/**
 * Edits of the users in a configuration: pure, text → text. Both texts are parsed and compared. An
 * edit that changed more or less than intended is refused.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { didYouMean } from "../text/nearest.ts";
import type { User } from "../policy/types.ts";
import { lookalikeOf, nameProblem, rootProblem, similarity } from "./names.ts";
import { parseConfig } from "./schema.ts";
import { userValues } from "./config_text.ts";
import { type EntryFields, scalarText } from "./entry_style.ts";
import { USER_FIELDS } from "./fields.ts";
import { editUsers } from "./extract_edit.ts";
import { ListText } from "./list_text.ts";
import type { Config } from "./types.ts";
import {
  commandsOf,
  type FileContext,
  flagValue,
  idValue,
  invalid,
  unknownField,
  verified,
} from "./verified_edit.ts";

/** A user that is not in the file yet. */
export type NewUser = Pick<User, "name" | "uid" | "gid" | "localIpcAccess" | "admin">;

/** A change of one user. */
export interface EditedUser {
  readonly verb: "add" | "remove" | "set";
  /** The user to be added, else the user as it stands in the file. */
  readonly user: NewUser;
  /** The field that is set, of {@linkcode USER_FIELDS} or unknown; null for the other verbs. */
  readonly field: string | null;
}

/** The file that an edit of its users is for. */
export interface EditContext extends FileContext {
  /**
   * Checks that the change may be made, before anything else is checked of it. What it throws ends
   * the edit.
   *
   * @param config The file before the edit.
   */
  readonly authorize?: (edited: EditedUser, config: Config) => void;
}

/** The value that takes a gid out of the file. */
export const NONE = "none";

/**
 * Adds a user after the last one.
 *
 * @param text The content of the file.
 * @returns The new content.
 * @throws {Failure} 73 when the name or the uid is configured already, 64 when either cannot be
 * one, 78 when the file is bad, 70 when the edit would change more.
 */
export function addUser(text: string, user: NewUser, context: EditContext): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  context.authorize?.({ verb: "add", user, field: null }, before);
  if (before.access.usersByName.has(user.name)) {
    throw new Failure(`There is a user ${user.name} already`, {
      exit: ExitCode.exists,
      hint: commandsOf(context).show(user.name),
    });
  }
  requirePossibleName(user, before, context);
  requireFreeUid(user.uid, null, before, context);
  const fields: EntryFields = {
    name: scalarText(user.name),
    uid: scalarText(user.uid),
    ...user.gid === null ? {} : { gid: scalarText(user.gid) },
    local_ipc_access: scalarText(user.localIpcAccess),
    ...user.admin ? { admin: "true" } : {},
  };
  const users = [...before.access.users, user];
  const last = before.access.users.length - 1;
  const edited = inList(text, [last], (list) => list.add(fields));
  return verified(edited, before, usersOf(users), { ...context, user: last + 1 });
}

/**
 * Removes a user.
 *
 * @param text The content of the file.
 * @returns The new content.
 * @throws {Failure} 65 when there is no user of that name, 78 when the file is bad or a listener
 * names the user, 70 when the edit would change more.
 */
export function removeUser(text: string, name: string, context: EditContext): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const removed = requireUser(name, before, context);
  context.authorize?.({ verb: "remove", user: removed, field: null }, before);
  requireUnnamed(name, before);
  const users = before.access.users.filter((user) => user.name !== name);
  const index = indexOf(name, before);
  // A list that becomes empty is written in another way, so another entry is kept.
  const other = index > 0 ? index - 1 : 1;
  const kept = [index, other].filter((one) => one <= users.length).sort((a, b) => a - b);
  const edited = inList(text, kept, (list, found) => list.remove(found(index)));
  return verified(edited, before, usersOf(users), { ...context, user: 0 });
}

/**
 * Sets a field of a user.
 *
 * @param text The content of the file.
 * @param field One of {@linkcode USER_FIELDS}.
 * @param value The value as it is written in the file, such as `true` or `579`; for no gid,
 * {@linkcode NONE}.
 * @returns The new content; the old one where the field has the value already.
 * @throws {Failure} 65 when there is no such user, 64 for an unknown field or a value it cannot
 * have, 73 when the uid is another user's, 78 when the file is bad, 70 when the edit would change
 * more.
 */
export function setUserField(
  text: string,
  name: string,
  field: string,
  value: string,
  context: EditContext,
): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const user = requireUser(name, before, context);
  context.authorize?.({ verb: "set", user, field }, before);
  const changed = withField(user, field, value, before, context);
  if (sameUser(user, changed)) return text;
  const users = before.access.users.map((one) => one.name === name ? changed : one);
  const index = indexOf(name, before);
  const edited = inList(
    text,
    [index],
    (list, found) =>
      value === NONE ? list.unset(found(index), field) : list.set(found(index), field, value),
  );
  return verified(edited, before, usersOf(users), { ...context, user: index });
}

/**
 * Edits the list of users.
 *
 * @param kept As for {@linkcode editUsers}.
 * @param edit Gets the index that an entry has in the list.
 */
function inList(
  text: string,
  kept: readonly number[],
  edit: (list: ListText, found: (index: number) => number) => string,
): string {
  return editUsers(text, kept, (part, found) => edit(new ListText(part, "users"), found));
}

function usersOf(users: readonly NewUser[]): { readonly users: unknown } {
  return { users: users.map(userValues) };
}

function indexOf(name: string, { access }: Config): number {
  return access.users.findIndex((user) => user.name === name);
}

/** A user with another value of a field. @throws {Failure} 64 and 73. */
function withField(
  user: User,
  field: string,
  value: string,
  config: Config,
  context: EditContext,
): NewUser {
  const { help } = commandsOf(context);
  const id = () => idValue(value, help);
  switch (field) {
    case "local_ipc_access":
      return { ...user, localIpcAccess: flagValue(field, value, help) };
    case "admin":
      return { ...user, admin: flagValue(field, value, help) };
    case "gid":
      return { ...user, gid: value === NONE ? null : id() };
    case "uid":
      requireRootItself(user.name, id(), context);
      requireFreeUid(id(), user.name, config, context);
      return { ...user, uid: id() };
    default:
      throw invalid(
        unknownField("user", field, USER_FIELDS),
        help,
      );
  }
}

function requireUser(name: string, config: Config, context: EditContext): User {
  const user = config.access.usersByName.get(name);
  if (user !== undefined) return user;
  const near = didYouMean(name, config.access.usersByName.keys());
  throw new Failure(`There is no user ${JSON.stringify(name)} in ${config.path}${near}`, {
    exit: ExitCode.data,
    hint: commandsOf(context).list,
  });
}

/** @throws {Failure} 78 when a listener names the user: without it the configuration were bad. */
export function requireUnnamed(name: string, { listeners, path }: Config): void {
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

/** @throws {Failure} 64 when a new user cannot have its name. */
function requirePossibleName(
  { name, uid }: NewUser,
  { access }: Config,
  context: EditContext,
): void {
  const problem = nameProblem(name, "user");
  if (problem !== null) {
    throw invalid(
      `${JSON.stringify(name)} cannot be a user's name: it ${problem}`,
      otherName(uid, context),
    );
  }
  requireRootItself(name, uid, context);
  const other = lookalikeOf(name, access.usersByName.keys());
  if (other === null) return;
  const { line } = access.usersByName.get(other)!.at;
  throw invalid(similarity(name, other, ` in line ${line}`), otherName(uid, context));
}

/** @throws {Failure} 64 when root's name and uid would be parted. */
export function requireRootItself(name: string, uid: number, context: EditContext): void {
  const problem = rootProblem(name, uid);
  if (problem === null) return;
  const hint = uid === 0
    ? "give it another uid; root is let in without an entry"
    : otherName(uid, context);
  throw invalid(capitalized(problem), hint);
}

/** The command that adds a uid under a name that is free. */
function otherName(uid: number, context: EditContext): string {
  return `${commandsOf(context).add(null, uid, false)}: the uid decides who it is, not the name`;
}

function capitalized(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function requireFreeUid(
  uid: number,
  own: string | null,
  config: Config,
  context: EditContext,
): void {
  requireMappedUid(uid, context);
  const holder = config.access.usersByUid.get(uid);
  if (holder === undefined || holder.name === own) return;
  throw new Failure(`The uid ${uid} is ${holder.name}'s already`, {
    exit: ExitCode.exists,
    hint: commandsOf(context).show(holder.name),
  });
}

/** @throws {Failure} 64 for the uid that stands for every other one. */
export function requireMappedUid(uid: number, context: FileContext): void {
  if (uid !== context.reserved.overflowUid) return;
  throw invalid(
    `${uid} is the overflow uid: it stands for every uid without a mapping`,
    commandsOf(context).help,
  );
}

function sameUser(one: NewUser, other: NewUser): boolean {
  return one.name === other.name && one.uid === other.uid && one.gid === other.gid &&
    one.localIpcAccess === other.localIpcAccess && one.admin === other.admin;
}
