/**
 * `listeners:`.
 *
 * @module
 */
import type { AccessTable, AllowList } from "../policy/types.ts";
import { readHostPort, readSocketPath } from "./addresses.ts";
import { listenerAddress } from "../net/address.ts";
import type { Value } from "./document.ts";
import type { NameLookup } from "./users.ts";
import type { Fields, Reader } from "./reader.ts";
import { readService } from "./services.ts";
import { DEFAULT_SOCKET_MODE, type KeyConfig, type ListenerConfig } from "./types.ts";

/**
 * Reads the listeners.
 *
 * @returns Null where the file names none.
 */
export function readListeners(
  value: Value | null,
  access: AccessTable,
  names: NameLookup,
  reader: Reader,
): readonly ListenerConfig[] | null {
  if (value === null) return null;
  const values = reader.list(value);
  if (values.length === 0) return reader.refuse(value, "there is no listener in this list");
  const listeners = values.map((one) => readListener(one, access, names, reader))
    .filter((listener) => listener !== null);
  const seen = new Map<string, number>();
  for (const listener of listeners) {
    const address = listenerAddress(listener);
    const line = seen.get(address);
    if (line === undefined) seen.set(address, listener.at.line);
    else {
      reader.refuse(
        { at: listener.at, key: "listeners" },
        `${address.replace(/^(unix|tcp):/, "")} is listened on already by line ${line}`,
      );
    }
  }
  return listeners;
}

function readListener(
  value: Value,
  access: AccessTable,
  names: NameLookup,
  reader: Reader,
): ListenerConfig | null {
  const fields = reader.fields(value, ["unix", "tcp", "mode", "keys", "allow", "service"]);
  if (fields === null) return null;
  const unix = fields.get("unix");
  const tcp = fields.get("tcp");
  if ((unix === null) === (tcp === null)) {
    return reader.refuse(value, "a listener has one of unix and tcp");
  }
  const allow = readAllow(fields.get("allow"), access, names, reader);
  const service = readService(
    fields.get("service"),
    (name) => access.usersByName.has(name),
    reader,
  );
  if (unix !== null) {
    const keys = fields.get("keys");
    if (keys !== null) reader.refuse(keys, "keys go with tcp: on a Unix socket the kernel vouches");
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
  return { kind: "tcp", ...address, keys, allow, service, at: value.at };
}

function readMode(value: Value | null, reader: Reader): number | null {
  if (value === null) return DEFAULT_SOCKET_MODE;
  if (value.kind !== "scalar" || typeof value.value !== "string") {
    return reader.refuse(
      value,
      "a mode stands in quotes: without them YAML reads another number than chmod does",
      value.kind === "scalar" ? `mode: "${value.source.replace(/^0o?/, "0")}"` : undefined,
    );
  }
  if (/^0?[0-7]{3}$/.test(value.value)) return parseInt(value.value, 8);
  return reader.refuse(value, `"${value.value}" is not a mode: write three octal digits, "0660"`);
}

function readAllow(
  value: Value | null,
  access: AccessTable,
  names: NameLookup,
  reader: Reader,
): AllowList | null {
  if (value === null) return null;
  const users = new Set<string>();
  const gids = new Set<number>();
  for (const entry of reader.list(value)) {
    const name = reader.text(entry, entry, "an entry");
    if (name === null) continue;
    if (!name.startsWith("@")) {
      if (access.usersByName.has(name)) users.add(name);
      else reader.refuse(entry, `there is no user "${name}" in users`);
      continue;
    }
    const group = name.slice(1);
    const gid = access.groups.find((one) => one.name === group)?.gid ?? names.groupId(group);
    if (gid !== null) gids.add(gid);
    else {reader.refuse(
        entry,
        `there is no group "${group}", neither in groups nor on this machine`,
      );}
  }
  return { users, gids, at: value.at };
}

function readKeys(
  fields: Fields,
  access: AccessTable,
  reader: Reader,
): readonly KeyConfig[] | null {
  const values = reader.list(fields.get("keys"));
  if (values.length === 0) {
    return reader.refuse(
      fields.get("keys") ?? fields,
      "a tcp listener without keys would let nobody in, or everybody: it is refused",
      "ipcauth gen-key FILE, then keys: [{ file: FILE, user: NAME }]",
    );
  }
  return values.map((value) => readKey(value, access, reader)).filter((key) => key !== null);
}

function readKey(value: Value, access: AccessTable, reader: Reader): KeyConfig | null {
  const fields = reader.fields(value, ["file", "user", "not_after"]);
  if (fields === null) return null;
  const file = reader.text(fields.get("file"), fields, "the key file");
  const userValue = fields.get("user");
  const user = userValue === null ? null : reader.text(userValue, fields, "the user");
  if (userValue !== null && user !== null && !access.usersByName.has(user)) {
    reader.refuse(userValue, `there is no user "${user}" in users`);
  }
  const notAfter = fields.get("not_after");
  const end = notAfter === null ? null : readTime(notAfter, reader);
  if (file === null) return null;
  if (!file.startsWith("/")) {
    return reader.refuse(fields.get("file")!, `the path ${file} does not begin with /`);
  }
  return { file, user, notAfter: end, at: value.at };
}

function readTime(value: Value, reader: Reader): number | null {
  const text = value.kind === "scalar" ? value.source : "";
  const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/;
  const time = shape.test(text) ? Date.parse(text) : NaN;
  // Date.parse moves 30 February into March; a date that does not come back as it was written is none.
  const comesBack = Number.isFinite(time) && isRealDate(text);
  if (comesBack) return time;
  return reader.refuse(value, `"${text}" is not a time: write it as 2027-06-30T00:00:00Z`);
}

function isRealDate(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split("-").map(Number) as [number, number, number];
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
