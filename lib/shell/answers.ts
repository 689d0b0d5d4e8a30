/**
 * What the server answers, checked: unknown → records. A server of another version, or one that lies, ends
 * in an error and not in nonsense on the screen.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { AccessRecord, SessionRecord, UserRecord } from "../service/console/protocol.ts";

type Shape = Readonly<Record<string, "string" | "number" | "boolean" | "string?" | "number?">>;

const USER: Shape = {
  name: "string",
  uid: "number",
  gid: "number?",
  local_ipc_access: "boolean",
  admin: "boolean",
};
const SESSION: Shape = {
  id: "number",
  user: "string",
  uid: "number",
  pid: "number?",
  from: "string",
  listener: "string",
  service: "string",
  since: "string",
};
const ACCESS: Shape = {
  uid: "number",
  user: "string?",
  allow: "boolean",
  rule: "string",
  where: "string?",
  change: "string?",
};

/** A user. */
export function asUser(value: unknown): UserRecord {
  return readRecord(value, USER) as unknown as UserRecord;
}

/** Users. */
export function asUsers(value: unknown): UserRecord[] {
  return readArray(value).map(asUser);
}

/** A session. */
export function asSession(value: unknown): SessionRecord {
  return readRecord(value, SESSION) as unknown as SessionRecord;
}

/** Sessions. */
export function asSessions(value: unknown): SessionRecord[] {
  return readArray(value).map(asSession);
}

/** An explained decision. */
export function asAccess(value: unknown): AccessRecord {
  return readRecord(value, ACCESS) as unknown as AccessRecord;
}

/** Numbers by their names. */
export function asCounts(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null) throw unexpectedAnswer();
  return Object.fromEntries(
    Object.entries(value).map(([name, count]) => {
      if (typeof count !== "number") throw unexpectedAnswer();
      return [name, count];
    }),
  );
}

/** The named fields of a record, in the order of the shape, and nothing else. */
function readRecord(value: unknown, shape: Shape): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw unexpectedAnswer();
  const record = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(shape).map(([name, type]) => {
      const field = record[name];
      const optional = type.endsWith("?");
      if (field === null && optional) return [name, null];
      const found: string = typeof field;
      if (found !== type.replace("?", "")) throw unexpectedAnswer();
      return [name, field];
    }),
  );
}

function readArray(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpectedAnswer();
}

/** The failure of an answer that makes no sense. */
export function unexpectedAnswer(): Failure {
  return new Failure("The server's answer is not what this client expects", {
    exit: ExitCode.data,
    hint: "ipcauth --version, on both sides",
  });
}
