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
  return as(value, USER) as unknown as UserRecord;
}

/** Users. */
export function asUsers(value: unknown): UserRecord[] {
  return list(value).map(asUser);
}

/** A session. */
export function asSession(value: unknown): SessionRecord {
  return as(value, SESSION) as unknown as SessionRecord;
}

/** Sessions. */
export function asSessions(value: unknown): SessionRecord[] {
  return list(value).map(asSession);
}

/** An explained decision. */
export function asAccess(value: unknown): AccessRecord {
  return as(value, ACCESS) as unknown as AccessRecord;
}

/** Numbers by their names. */
export function asCounts(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null) throw strange();
  return Object.fromEntries(
    Object.entries(value).map(([name, count]) => {
      if (typeof count !== "number") throw strange();
      return [name, count];
    }),
  );
}

/** The named fields of a record, in the order of the shape, and nothing else. */
function as(value: unknown, shape: Shape): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw strange();
  const record = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(shape).map(([name, type]) => {
      const field = record[name];
      const optional = type.endsWith("?");
      if (field === null && optional) return [name, null];
      const found: string = typeof field;
      if (found !== type.replace("?", "")) throw strange();
      return [name, field];
    }),
  );
}

function list(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw strange();
}

/** The failure of an answer that makes no sense. */
export function strange(): Failure {
  return new Failure("The server's answer is not what this client expects", {
    exit: ExitCode.data,
    hint: "ipcauth --version, on both sides",
  });
}
