/**
 * `keys:` of a TCP listener.
 *
 * @module
 */
import { normalize } from "@std/path";
import type { AccessTable } from "../policy/types.ts";
import type { Value } from "./document.ts";
import { unknownUser } from "./names.ts";
import { type Fields, type Reader, written } from "./reader.ts";
import type { KeyConfig, KeyDirectoryConfig, TcpListenerConfig } from "./types.ts";

/** The keys of an entry of `keys:`. */
export const KEY_KEYS = ["file", "user", "not_after", "dir"] as const;

/** Reads the keys of a TCP listener and their directories; at least one of them. */
export function readKeys(
  fields: Fields,
  access: AccessTable,
  reader: Reader,
): Pick<TcpListenerConfig, "keys" | "keyDirectories"> | null {
  const values = reader.list(fields.get("keys"));
  if (values === null) return null;
  if (values.length === 0) {
    return reader.refuse(
      fields.get("keys") ?? fields,
      "a tcp listener without keys is refused: no client could pass the access check",
      "ipcauth gen-key FILE, then keys: [{ file: FILE, user: NAME }]",
    );
  }
  const entries = values.map((value) => readEntry(value, access, reader))
    .filter((entry) => entry !== null);
  const keys = entries.filter((entry) => "file" in entry);
  const keyDirectories = entries.filter((entry) => "directory" in entry);
  refuseRepeated(keys, fields, reader);
  refuseRepeatedDirectories(keyDirectories, fields, reader);
  return { keys, keyDirectories };
}

function refuseRepeatedDirectories(
  directories: readonly KeyDirectoryConfig[],
  { key }: Fields,
  reader: Reader,
): void {
  const first = new Map<string, KeyDirectoryConfig>();
  for (const one of directories) {
    const known = first.get(one.directory);
    if (known === undefined) first.set(one.directory, one);
    else {
      reader.refuse(
        { at: one.at, key: `${key}.keys` },
        `the directory ${one.directory} stands in line ${known.at.line} already`,
        "take one of the two entries out",
      );
    }
  }
}

/**
 * Refuses a key file that stands twice at one listener: it would be open which user, or which end,
 * the key has.
 */
function refuseRepeated(keys: readonly KeyConfig[], { key }: Fields, reader: Reader): void {
  const first = new Map<string, KeyConfig>();
  for (const { file, at, user } of keys) {
    const known = first.get(normalize(file));
    if (known === undefined) {
      first.set(normalize(file), { file, at, user, notAfter: null });
      continue;
    }
    const forUser = user === known.user ? "" : `, for ${known.user ?? "a trusted client"}`;
    reader.refuse(
      { at, key: `${key}.keys` },
      `the key file ${file} stands in line ${known.at.line} already${forUser}: ` +
        "a key has one user and one end",
      user === known.user
        ? "take one of the two entries out"
        : `ipcauth gen-key FILE, then { file: FILE, user: ${user ?? "NAME"} }`,
    );
  }
}

function readEntry(
  value: Value,
  access: AccessTable,
  reader: Reader,
): KeyConfig | KeyDirectoryConfig | null {
  const fields = reader.fields(value, KEY_KEYS);
  if (fields === null) return null;
  return fields.get("dir") === null
    ? readKey(fields, value, access, reader)
    : readDirectory(fields, value, reader);
}

function readDirectory(
  fields: Fields,
  { at }: Value,
  reader: Reader,
): KeyDirectoryConfig | null {
  const other = KEY_KEYS.find((name) => name !== "dir" && fields.get(name) !== null);
  if (other !== undefined) {
    return reader.refuse(
      fields.get(other)!,
      `${other} does not go with dir: a file's name says the user of its key, such as bob.key`,
      "write an entry for each file, or one with dir alone",
    );
  }
  const path = reader.text(fields.get("dir"), fields, "the directory of the keys");
  if (path === null) return null;
  if (!path.startsWith("/")) {
    return reader.refuse(fields.get("dir")!, `the path ${path} does not begin with /`);
  }
  return { directory: normalize(path).replace(/(?<=.)\/$/, ""), at };
}

function readKey(
  fields: Fields,
  { at }: Value,
  access: AccessTable,
  reader: Reader,
): KeyConfig | null {
  const file = reader.text(fields.get("file"), fields, "the key file");
  const userValue = fields.get("user");
  const user = userValue === null ? null : reader.text(userValue, fields, "the user");
  if (user !== null && !access.usersByName.has(user)) {
    reader.refuseUser(userValue!, user, unknownUser(user, access));
  }
  const notAfter = fields.get("not_after");
  const end = notAfter === null ? null : readTime(notAfter, reader);
  if (file === null) return null;
  if (!file.startsWith("/")) {
    return reader.refuse(fields.get("file")!, `the path ${file} does not begin with /`);
  }
  return { file, user, notAfter: end, at };
}

/** RFC 3339, section 5.6. Date.parse() takes hour 24, too, which the RFC does not have. */
const TIME = new RegExp(
  "^\\d{4}-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,3})?" +
    "(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$",
);

/** Reads a time stamp (RFC 3339), as milliseconds since the epoch. */
function readTime(value: Value, reader: Reader): number | null {
  const text = value.kind === "scalar" ? value.source : "";
  return parseTime(text) ??
    reader.refuse(value, `${written(value)} is not a time: write it as 2027-06-30T00:00:00Z`);
}

/** A time stamp (RFC 3339) as milliseconds since the epoch; null for any other text. */
export function parseTime(text: string): number | null {
  const time = TIME.test(text) ? Date.parse(text) : NaN;
  // Date.parse() reads 30 February as 2 March.
  return Number.isFinite(time) && isRealDate(text) ? time : null;
}

function isRealDate(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split("-").map(Number) as [number, number, number];
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
