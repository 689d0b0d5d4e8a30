/**
 * What a reload has changed, for the log: users, groups, listeners and keys by their names and ids.
 *
 * @module
 */
import type { Config, KeyConfig, ListenerConfig } from "../config/types.ts";
import { listenerAddress } from "../net/address.ts";
import { MAX_NAMED, type UserChanges, userChanges } from "../config/user_changes.ts";

/** The sections that are named as a whole. */
const SECTIONS = ["limits", "log", "directory", "sandbox"] as const;

/**
 * Names the changes between two configurations.
 *
 * @param before The configuration that was in force.
 * @param after The one that is now.
 * @param keyId The id of the key in a file, or null where it cannot be read.
 * @param users What has changed in the users, where that is known already.
 * @returns Such as `user bob added, user alice local_ipc_access true → false`; null where the files
 * mean the same.
 */
export function configChanges(
  before: Config,
  after: Config,
  keyId: (file: string) => string | null,
  users: UserChanges = userChanges(before.access, after.access),
): string | null {
  const changes = [
    ...users.named,
    ...named("group", before.access.groups, after.access.groups, ({ name }) => name),
    ...listenerChanges(before.listeners ?? [], after.listeners ?? [], keyId),
    ...SECTIONS.filter((name) => !isSame(before[name], after[name])).map((name) =>
      `${name} changed`
    ),
  ];
  if (before.workers !== after.workers) {
    changes.push(`workers ${before.workers} → ${after.workers} needs a restart`);
  }
  if (changes.length === 0) return null;
  const more = changes.length - MAX_NAMED + users.more;
  return [...changes.slice(0, MAX_NAMED), ...more > 0 ? [`${more} more`] : []].join(", ");
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
  if (one instanceof Set && other instanceof Set) return isSame([...one], [...other]);
  if (!isObject(one) || !isObject(other)) return one === other;
  const names = fieldNames(one);
  return names.length === fieldNames(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame(one[name], other[name]));
}

/** Places take long to find, so not one is asked for. */
function fieldNames(value: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(value).filter((name) => name !== "at" && name !== "accessAt");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
