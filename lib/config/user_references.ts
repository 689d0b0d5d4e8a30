/**
 * Where a configuration turns the name of a user into a uid: pure.
 *
 * A key, `run_as: NAME` and an impersonating listener act with the uid and gid of an entry. To add
 * or remove such an entry, or to change its ids, is to say who they are.
 *
 * @module
 */
import { type GroupLookup, withAllowedIds } from "../policy/group_ids.ts";
import type { Group, Position, User } from "../policy/types.ts";
import type { ListenerConfig, ServiceConfig } from "./types.ts";

/** What acts with the ids of a user, and where it stands in the file. */
export interface ReferringEntry {
  /** Such as `a key of bob's`. */
  readonly what: string;
  readonly at: Position;
}

/** What the name service says of the groups that a list names, and of the user's own. */
export interface UserGroups {
  readonly gidOf: GroupLookup;
  /** The groups of the user; null where they are not known. */
  readonly groups: readonly number[] | null;
  /** Whether a file of a directory is a key of a user; true also where that is not known. */
  readonly hasKeyIn: (directory: string, user: string) => boolean;
}

/**
 * Finds what acts with the ids of a user.
 *
 * A listener impersonates with `identity: impersonate` and with `run_as: peer`. It acts as every
 * user that its `allow` list admits, and without a list as every user.
 *
 * @param user The user, which need not be in the file.
 * @param names What is not known of them counts as if the user were in a listed group.
 * @returns The first reference, or null.
 */
export function referenceTo(
  user: Pick<User, "name" | "gid">,
  listeners: readonly ListenerConfig[],
  names: UserGroups,
): ReferringEntry | null {
  for (const listener of listeners) {
    const { service, at } = listener;
    const key = listener.kind === "tcp"
      ? listener.keys.find((one) => one.user === user.name)
      : undefined;
    if (key !== undefined) return { what: `a key of ${user.name}'s`, at: key.at };
    const directory = listener.kind === "tcp"
      ? listener.keyDirectories.find((one) => names.hasKeyIn(one.directory, user.name))
      : undefined;
    if (directory !== undefined) {
      return { what: `a key of ${user.name}'s in ${directory.directory}`, at: directory.at };
    }
    if (service.kind === "exec" && typeof service.runAs === "object") {
      if (service.runAs.user === user.name) return { what: `run_as: ${user.name}`, at };
    }
    if (isImpersonating(service) && mayAdmit(listener, user, names)) {
      return { what: "a listener that impersonates the users it admits", at };
    }
  }
  return null;
}

/** Whether {@linkcode referenceTo} asks for the groups of users. */
export function asksForGroups(listeners: readonly ListenerConfig[]): boolean {
  return listeners.some(({ service, allow }) => isImpersonating(service) && allow !== null);
}

/** Whether the `allow` list of a listener names a group of the file: by its name or its gid. */
export function listsGroup(
  { name, gid }: Pick<Group, "name" | "gid">,
  listeners: readonly ListenerConfig[],
): Position | null {
  const listener = listeners.find(({ allow }) =>
    allow !== null && (allow.unknownGroups.has(name) || gid !== null && allow.gids.has(gid))
  );
  return listener?.allow?.at ?? null;
}

function isImpersonating(service: ServiceConfig): boolean {
  return service.kind === "forward" && service.identity === "impersonate" ||
    service.kind === "exec" && service.runAs === "peer";
}

function mayAdmit(
  listener: ListenerConfig,
  { name, gid }: Pick<User, "name" | "gid">,
  { gidOf, groups }: UserGroups,
): boolean {
  const allow = listener.allow && withAllowedIds(listener.allow, gidOf);
  if (allow === null || allow.users.has(name) || allow.unknownGroups.size > 0) return true;
  if (allow.gids.size === 0) return false;
  if (gid !== null && allow.gids.has(gid)) return true;
  return groups === null || groups.some((one) => allow.gids.has(one));
}
