/**
 * A configuration in the form in which it crosses from one thread to another: its users in shared
 * memory, everything else as plain data.
 *
 * @module
 */
import type { Group } from "../policy/types.ts";
import { restorePlaces } from "./found_position.ts";
import { placeFinder } from "./places.ts";
import { sharedAccess, type UsersData, usersData } from "./shared_users.ts";
import type { Config } from "./types.ts";

/** A configuration as it is sent. */
export interface SentConfig {
  readonly users: UsersData;
  readonly groups: readonly Group[];
  readonly others: Omit<Config, "access">;
}

/** What is sent of a configuration. */
export function toSent({ access, ...others }: Config): SentConfig {
  return { users: usersData(access.users), groups: access.groups, others };
}

/**
 * The configuration that was sent.
 *
 * @param text The text that it was read from, in which its places are found.
 */
export function fromSent({ users, groups, others }: SentConfig, text: string): Config {
  const find = placeFinder(text.replace(/^\ufeff/, ""));
  restorePlaces([groups, others], find);
  return { ...others, access: sharedAccess(users, groups, find) };
}
