/**
 * `keys:` of a TCP listener.
 *
 * @module
 */
import type { AccessTable } from "../policy/types.ts";
import type { Value } from "./document.ts";
import type { Fields, Reader } from "./reader.ts";
import type { KeyConfig } from "./types.ts";

/** The keys of an entry of `keys:`. */
export const KEY_KEYS = ["file", "user", "not_after"] as const;

/** Reads the keys of a TCP listener; at least one. */
export function readKeys(
  fields: Fields,
  access: AccessTable,
  reader: Reader,
): readonly KeyConfig[] | null {
  const values = reader.list(fields.get("keys"));
  if (values.length === 0) {
    return reader.refuse(
      fields.get("keys") ?? fields,
      "a tcp listener without keys is refused: no client could pass the access check",
      "ipcauth gen-key FILE, then keys: [{ file: FILE, user: NAME }]",
    );
  }
  return values.map((value) => readKey(value, access, reader)).filter((key) => key !== null);
}

function readKey(value: Value, access: AccessTable, reader: Reader): KeyConfig | null {
  const fields = reader.fields(value, KEY_KEYS);
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

/** Reads a time stamp (RFC 3339), as milliseconds since the epoch. */
function readTime(value: Value, reader: Reader): number | null {
  const text = value.kind === "scalar" ? value.source : "";
  const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/;
  const time = shape.test(text) ? Date.parse(text) : NaN;
  // Date.parse() reads 30 February as 2 March.
  if (Number.isFinite(time) && isRealDate(text)) return time;
  return reader.refuse(value, `"${text}" is not a time: write it as 2027-06-30T00:00:00Z`);
}

function isRealDate(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split("-").map(Number) as [number, number, number];
  return day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
