/**
 * `listeners:`.
 *
 * @module
 */
import { listenerAddress } from "../net/address.ts";
import type { AccessTable, AllowList, Group, Position } from "../policy/types.ts";
import { readHostPort, readSocketPath } from "./addresses.ts";
import type { Value } from "./document.ts";
import { readKeys } from "./listener_keys.ts";
import { looksOf } from "./name_looks.ts";
import { nameHint, nameProblem, similarity, unknownUser } from "./names.ts";
import { type Reader, written } from "./reader.ts";
import { readService } from "./services.ts";
import { DEFAULT_SOCKET_MODE, type ListenerConfig } from "./types.ts";

/** The keys of a listener. */
export const LISTENER_KEYS = ["unix", "tcp", "mode", "keys", "allow", "service"] as const;

/**
 * Reads the listeners. Two listeners with one address are reported.
 *
 * @param access The configured users and groups, which `allow`, `keys` and `run_as` may name.
 * @returns Null where the file has no `listeners:`.
 */
export function readListeners(
  value: Value | null,
  access: AccessTable,
  reader: Reader,
): readonly ListenerConfig[] | null {
  if (value === null) return null;
  const values = reader.list(value);
  if (values === null) return null;
  if (values.length === 0) return reader.refuse(value, "there is no listener in this list");
  const listeners = values.map((one) => readListener(one, access, reader))
    .filter((listener) => listener !== null);
  const seen = new Map<string, Position>();
  for (const listener of listeners) {
    const address = listenerAddress(listener);
    const before = seen.get(address);
    if (before === undefined) seen.set(address, listener.at);
    else {
      reader.refuse(
        { at: listener.at, key: "listeners" },
        `${address.replace(/^(unix|tcp):/, "")} is listened on already by line ${before.line}`,
      );
    }
  }
  return listeners;
}

function readListener(
  value: Value,
  access: AccessTable,
  reader: Reader,
): ListenerConfig | null {
  const fields = reader.fields(value, LISTENER_KEYS);
  if (fields === null) return null;
  const unix = fields.get("unix");
  const tcp = fields.get("tcp");
  if ((unix === null) === (tcp === null)) {
    return reader.refuse(value, "a listener has one of unix and tcp");
  }
  const allow = readAllow(fields.get("allow"), access, reader);
  const service = readService(
    fields.get("service"),
    access,
    reader,
  );
  if (unix !== null) {
    const keys = fields.get("keys");
    if (keys !== null) {
      reader.refuse(keys, "keys go with tcp: on a Unix socket the kernel identifies the peer");
    }
    const path = readSocketPath(unix, reader);
    const mode = readMode(fields.get("mode"), reader);
    if (path === null || mode === null || service === null) return null;
    return { kind: "unix", path, mode, allow, service, at: value.at };
  }
  const mode = fields.get("mode");
  if (mode !== null) reader.refuse(mode, "mode goes with unix");
  const address = readHostPort(tcp!, reader);
  const keys = readKeys(fields, access, reader);
  if (address === null || keys === null || service === null) return null;
  return { kind: "tcp", ...address, ...keys, allow, service, at: value.at };
}

function readMode(value: Value | null, reader: Reader): number | null {
  if (value === null) return DEFAULT_SOCKET_MODE;
  const typed = value.kind === "scalar" ? value.value : null;
  if (typeof typed === "number") {
    const digits = written(value).replace(/^0o?/, "0");
    return reader.refuse(
      value,
      "a mode stands in quotes: without them YAML reads another number than chmod does",
      `mode: "${MODE.test(digits) ? digits : "0660"}"`,
    );
  }
  if (typeof typed === "string" && MODE.test(typed)) return parseInt(typed, 8);
  return reader.refuse(
    value,
    `${written(value)} is not a mode: write three octal digits, "0660"`,
  );
}

/** Three octal digits, or four with a leading zero. */
const MODE = /^0?[0-7]{3}$/;

function readAllow(
  value: Value | null,
  access: AccessTable,
  reader: Reader,
): AllowList | null {
  if (value === null) return null;
  const users = new Set<string>();
  const gids = new Set<number>();
  const unknownGroups = new Set<string>();
  let groupsByLook: Map<string, Group> | null = null;
  for (const entry of reader.list(value) ?? []) {
    const name = reader.text(entry, entry, "an entry");
    if (name === null) continue;
    if (!name.startsWith("@")) {
      if (access.usersByName.has(name)) users.add(name);
      else reader.refuseUser(entry, name, unknownUser(name, access));
      continue;
    }
    const group = name.slice(1);
    const problem = nameProblem(group, "group");
    if (problem !== null) {
      const what = `${JSON.stringify(group)} cannot be a group's name: it ${problem}`;
      reader.refuse(entry, what, `list the group in groups; ${nameHint("group")}`);
      continue;
    }
    const listed = access.groups.find((one) => one.name === group);
    groupsByLook ??= new Map(
      access.groups.toReversed().flatMap((one) => looksOf(one.name).map((look) => [look, one])),
    );
    const [other] = listed === undefined
      ? looksOf(group).flatMap((look) => groupsByLook!.get(look) ?? [])
      : [];
    if (other !== undefined) {
      const where = ` in line ${other.at.line}`;
      reader.refuse(entry, similarity(group, other.name, where), `write "@${other.name}"`);
      continue;
    }
    const gid = listed?.gid ?? null;
    if (gid !== null) gids.add(gid);
    else {
      unknownGroups.add(group);
      reader.nameGroup(group, entry);
    }
  }
  return { users, gids, unknownGroups, at: value.at };
}
