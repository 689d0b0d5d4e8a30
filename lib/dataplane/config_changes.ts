/**
 * What a reload has changed, for the log: users, groups, listeners and keys by their names and ids.
 *
 * @module
 */
import type { Config, KeyConfig, ListenerConfig } from "../config/types.ts";
import { listenerAddress } from "../net/address.ts";
import type { User } from "../policy/types.ts";

/** How many changes are named; of the others, the number is. */
const MAX_NAMED = 32;

/** The sections that are named as a whole. */
const SECTIONS = ["limits", "log", "directory"] as const;

/**
 * Names the changes between two configurations.
 *
 * @param before The configuration that was in force.
 * @param after The one that is now.
 * @param keyId The id of the key in a file, or null where it cannot be read.
 * @returns Such as `user bob added, user alice local_ipc_access true → false`; null where the files
 * mean the same.
 */
export function configChanges(
  before: Config,
  after: Config,
  keyId: (file: string) => string | null,
): string | null {
  const changes = [
    ...userChanges(before.access.users, after.access.users),
    ...named("group", before.access.groups, after.access.groups, ({ name }) => name),
    ...listenerChanges(before.listeners ?? [], after.listeners ?? [], keyId),
    ...SECTIONS.filter((name) => !isSame(before[name], after[name])).map((name) =>
      `${name} changed`
    ),
  ];
  if (changes.length === 0) return null;
  const more = changes.length - MAX_NAMED;
  return [...changes.slice(0, MAX_NAMED), ...more > 0 ? [`${more} more`] : []].join(", ");
}

function userChanges(before: readonly User[], after: readonly User[]): string[] {
  // Almost all users of a long list are where they were, and only the others are looked up.
  const same = (one: User | undefined, other: User | undefined) =>
    one !== undefined && other !== undefined && isSameUser(one, other);
  let start = 0;
  while (same(before[start], after[start])) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && same(before.at(-1 - end), after.at(-1 - end))) end++;
  const old = new Map(
    before.slice(start, before.length - end).map((user) => [user.name, user]),
  );
  const changes: string[] = [];
  for (const user of after.slice(start, after.length - end)) {
    const former = old.get(user.name);
    old.delete(user.name);
    if (former === undefined) changes.push(`user ${user.name} added`);
    else if (former !== user) changes.push(...fieldChanges(former, user));
  }
  return [...changes, ...[...old.keys()].map((name) => `user ${name} removed`)];
}

function isSameUser(one: User, other: User): boolean {
  return one.name === other.name && one.uid === other.uid && one.gid === other.gid &&
    one.localIpcAccess === other.localIpcAccess && one.admin === other.admin;
}

function fieldChanges(before: User, after: User): string[] {
  const fields = [
    ["uid", before.uid, after.uid],
    ["gid", before.gid ?? "none", after.gid ?? "none"],
    ["local_ipc_access", before.localIpcAccess, after.localIpcAccess],
    ["admin", before.admin, after.admin],
  ] as const;
  return fields.filter(([, old, now]) => old !== now)
    .map(([field, old, now]) => `user ${after.name} ${field} ${old} → ${now}`);
}

function listenerChanges(
  before: readonly ListenerConfig[],
  after: readonly ListenerConfig[],
  keyId: (file: string) => string | null,
): string[] {
  const changes = named(
    "listener",
    before.map(withoutKeys),
    after.map(withoutKeys),
    listenerAddress,
  );
  const keysOf = (listeners: readonly ListenerConfig[]) =>
    listeners.flatMap((one) =>
      one.kind === "unix" ? [] : one.keys.map((key) => ({ key, listener: listenerAddress(one) }))
    );
  const name = ({ key, listener }: { key: KeyConfig; listener: string }) => {
    const id = keyId(key.file);
    return `${id ?? key.file}${key.user === null ? "" : ` of ${key.user}`} at ${listener}`;
  };
  const identity = ({ key, listener }: { key: KeyConfig; listener: string }) =>
    `${listener}\n${key.file}\n${key.user}`;
  const directories = (listeners: readonly ListenerConfig[]) =>
    listeners.flatMap((one) =>
      one.kind === "unix"
        ? []
        : one.keyDirectories.map(({ directory }) => `${directory} at ${listenerAddress(one)}`)
    );
  changes.push(
    ...named("key directory", directories(before), directories(after), (one) => one),
  );
  return [...changes, ...named("key", keysOf(before), keysOf(after), identity, name)];
}

/** A listener as far as its own fields go. */
function withoutKeys(listener: ListenerConfig): ListenerConfig {
  return listener.kind === "unix" ? listener : { ...listener, keys: [], keyDirectories: [] };
}

/** The elements of a list that were added, removed and changed. */
function named<T>(
  what: string,
  before: readonly T[],
  after: readonly T[],
  identity: (element: T) => string,
  name: (element: T) => string = identity,
): string[] {
  const old = new Map(before.map((element) => [identity(element), element]));
  const changes: string[] = [];
  for (const element of after) {
    const key = identity(element);
    const former = old.get(key);
    old.delete(key);
    if (former === undefined) changes.push(`${what} ${name(element)} added`);
    else if (!isSame(former, element)) changes.push(`${what} ${name(element)} changed`);
  }
  return [...changes, ...[...old.values()].map((element) => `${what} ${name(element)} removed`)];
}

/** Whether two parts of configurations mean the same: places in the file do not count. */
function isSame(one: unknown, other: unknown): boolean {
  return text(one) === text(other);
}

function text(value: unknown): string {
  return JSON.stringify(value, (key, part) => {
    if (key === "at" || key === "accessAt") return undefined;
    return part instanceof Set ? [...part] : part;
  });
}
