/**
 * A configuration as a file that says the same, with every default written out: pure.
 *
 * @module
 */
import { stringify } from "yaml";
import { octalMode } from "../files/permissions.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { escapeJson } from "../text/escape.ts";
import type { AccessTable, AllowList, Group, User } from "../policy/types.ts";
import { COUNT_KEYS, DURATION_KEYS } from "./limits.ts";
import type { ROOT_KEYS } from "./schema.ts";
import type {
  Config,
  KeyConfig,
  ListenerConfig,
  ServiceConfig,
  TcpListenerConfig,
} from "./types.ts";

/** A configuration as YAML, which reads back as the same configuration. */
export function configText(config: Config): string {
  return Object.entries(configValues(config)).map(([key, value]) =>
    (key === "users" || key === "groups") && Array.isArray(value) && value.length > 0
      ? `${key}:\n${value.map(entryText).join("")}`
      : stringify({ [key]: value }, { version: "1.2", lineWidth: 0 })
  ).join("");
}

/** An entry on one line, as files have it. There may be very many, so YAML is written here. */
function entryText(entry: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(entry).map(([name, value]) => `${name}: ${scalarText(value)}`);
  return `  - { ${fields.join(", ")} }\n`;
}

function scalarText(value: unknown): string {
  if (typeof value !== "string") return String(value);
  const isPlain = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(value) && !/^(true|false|null)$/i.test(value);
  return isPlain ? value : escapeJson(JSON.stringify(value));
}

/**
 * The values of a configuration by the keys of the file. What has neither a value nor a default is
 * left out. A configuration names key files and holds no key.
 */
export function configValues(config: Config): Record<string, unknown> {
  const { access, limits, log, directory, sandbox } = config;
  return withoutNull(
    {
      listeners: config.listeners?.map((one) => listenerValues(one, access)) ?? null,
      users: access.users.map(({ name, uid, gid, localIpcAccess, admin }) =>
        withoutNull({ name, uid, gid, local_ipc_access: localIpcAccess, admin })
      ),
      groups: access.groups.map(({ name, gid, localIpcAccess }) =>
        withoutNull({ name, gid, local_ipc_access: localIpcAccess })
      ),
      limits: Object.fromEntries([
        ...Object.entries(COUNT_KEYS).map(([key, field]) => [key, limits[field]]),
        ...Object.entries(DURATION_KEYS).map(([key, field]) => [key, durationText(limits[field])]),
      ]),
      log: withoutNull({ ...log }),
      workers: config.workers,
      directory: { refresh: durationText(directory.refresh) },
      sandbox,
    } satisfies Record<typeof ROOT_KEYS[number], unknown>,
  );
}

/** A user by the keys of the file. */
export function userValues(
  { name, uid, gid, localIpcAccess, admin }: Omit<User, "at" | "accessAt">,
): Record<string, unknown> {
  return withoutNull({ name, uid, gid, local_ipc_access: localIpcAccess, admin });
}

/** A group by the keys of the file. */
export function groupValues(
  { name, gid, localIpcAccess }: Omit<Group, "at" | "accessAt">,
): Record<string, unknown> {
  return withoutNull({ name, gid, local_ipc_access: localIpcAccess });
}

function listenerValues(listener: ListenerConfig, access: AccessTable): Record<string, unknown> {
  const { allow, service } = listener;
  const address = listener.kind === "unix"
    ? { unix: listener.path, mode: octalMode(listener.mode) }
    : { tcp: hostPortText(listener), keys: keysValues(listener) };
  return withoutNull({
    ...address,
    allow: allow && allowValues(allow, access),
    service: serviceValues(service),
  });
}

/** The keys of a listener by the keys of the file, and then the directories of keys. */
export function keysValues(
  { keys, keyDirectories }: Pick<TcpListenerConfig, "keys" | "keyDirectories">,
): Record<string, unknown>[] {
  return [
    ...keys.map(keyValues),
    ...keyDirectories.map(({ directory }) => ({ dir: directory })),
  ];
}

/** A key by the keys of the file. */
export function keyValues(
  { file, user, notAfter }: Omit<KeyConfig, "at">,
): Record<string, unknown> {
  const end = notAfter === null ? null : timeText(notAfter);
  return withoutNull({ file, user, not_after: end });
}

/** A list as the file has it: a gid of it came from a group of the file. */
export function allowValues(
  { users, gids, unknownGroups }: AllowList,
  { groups }: AccessTable,
): string[] {
  const named = groups.filter(({ gid }) => gid !== null && gids.has(gid)).map(({ name }) => name);
  return [...users, ...[...named, ...unknownGroups].map((name) => `@${name}`)];
}

function serviceValues(service: ServiceConfig): unknown {
  switch (service.kind) {
    case "console":
    case "metrics":
      return service.kind;
    case "forward": {
      const { target, identity, backendUser } = service;
      const forward = target.kind === "unix"
        ? `unix:${target.path}`
        : `tcp:${hostPortText(target)}`;
      return withoutNull({ forward, identity, backend_user: backendUser });
    }
    case "exec": {
      const { argv, runAs } = service;
      return { exec: [...argv], run_as: typeof runAs === "object" ? runAs.user : runAs };
    }
  }
}

/** @param time In milliseconds. */
function durationText(time: number): string {
  return time % 1_000 === 0 ? `${time / 1_000}s` : `${time}ms`;
}

/** A time stamp (RFC 3339). @param time In milliseconds since the epoch. */
export function timeText(time: number): string {
  return new Date(time).toISOString().replace(".000Z", "Z");
}

function withoutNull(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}
