/**
 * What a server needs of the name service all the time, so that a decision never waits for it.
 *
 * @module
 */
import type { Config, ListenerConfig } from "../config/types.ts";
import type { AllowList } from "../policy/types.ts";
import { numericAddress } from "../libc/inet_address.ts";
import type { LookupRequest } from "../names/results.ts";
import { needsGroups } from "../session/authorizer.ts";
import type { SessionTable } from "../session/session_table.ts";

/**
 * The list in force for the listener of a session, whatever it was when the session began; null for
 * none.
 */
export type ListLookup = (listener: ListenerConfig) => AllowList | null;

/** The groups and accounts of the name service that a file names. */
export function namesOfFile(config: Config): readonly LookupRequest[] {
  return [
    ...config.namedGroups.map(({ name }) => ({ kind: "group" as const, name })),
    ...config.namedAccounts.map(({ name }) => ({ kind: "user" as const, name })),
  ];
}

/**
 * What the file names, the hosts of listeners and backends, and the users of keys whose listener is
 * narrowed to groups, those of open sessions included. The user of a key in a directory is asked
 * for when a client comes with it, as a directory may hold the keys of thousands.
 */
export function namesInUse(
  config: Config,
  listeners: readonly ListenerConfig[],
  sessions: Pick<SessionTable, "forEach">,
  listOf: ListLookup,
): readonly LookupRequest[] {
  const uids = new Set<number>();
  const add = (name: string | null): void => {
    const uid = name === null ? undefined : config.access.usersByName.get(name)?.uid;
    if (uid !== undefined) uids.add(uid);
  };
  for (const listener of listeners) {
    if (listener.kind !== "tcp" || !needsGroups(listener.allow)) continue;
    listener.keys.forEach(({ user }) => add(user));
  }
  sessions.forEach(({ facts: { origin, identity, user, config } }) => {
    if (origin.kind === "tcp" && !identity.trusted && needsGroups(listOf(config))) add(user);
  });
  return [
    ...namesOfFile(config),
    ...hostsInUse(listeners),
    ...[...uids].map((uid) => ({ kind: "account" as const, uid })),
  ];
}

/**
 * The accounts of open sessions on Unix sockets whose peers are let in by their groups. The kernel
 * keeps the groups of a login; that the account has left one is known by the name service alone.
 */
export function accountsOfSessions(
  sessions: Pick<SessionTable, "forEach">,
  listOf: ListLookup,
): readonly LookupRequest[] {
  const uids = new Set<number>();
  sessions.forEach(({ facts: { origin, identity, config } }) => {
    if (origin.kind !== "unix" || identity.trusted) return;
    if (identity.user === null || needsGroups(listOf(config))) uids.add(identity.uid);
  });
  return [...uids].map((uid) => ({ kind: "account", uid }));
}

/** The hosts that listeners and their backends are named by. */
export function hostsInUse(listeners: readonly ListenerConfig[]): readonly LookupRequest[] {
  const hosts = new Set<string>();
  for (const listener of listeners) {
    const targets = listener.service.kind === "forward"
      ? [listener, listener.service.target]
      : [listener];
    for (const one of targets) {
      if (one.kind === "tcp" && numericAddress(one.host, 0) === null) hosts.add(one.host);
    }
  }
  return [...hosts].map((name) => ({ kind: "host", name }));
}
