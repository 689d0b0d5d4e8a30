/**
 * The server's answers, checked: unknown → records. The answer of another version of the server, or
 * of a hostile one, is an error and is not shown.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type {
  AccessRecord,
  ListenerRecord,
  LogResult,
  ServerStatus,
  SessionRecord,
  UserRecord,
} from "../service/console/protocol.ts";

/** The names and types of a record's fields; `?` means that null is allowed. */
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
  bytes_in: "number?",
  bytes_out: "number?",
};
const LISTENER: Shape = {
  listener: "string",
  service: "string",
  target: "string?",
  state: "string",
  problem: "string?",
};
const STATUS: Shape = {
  version: "string",
  host: "string",
  pid: "number",
  uptime: "number",
};
const STATUS_COUNTS: Shape = { sessions: "number", allowed: "number", denied: "number" };
const STATUS_CONFIG: Shape = {
  path: "string?",
  good: "boolean",
  since: "string",
  problem: "string?",
  hint: "string?",
};
const STATUS_SANDBOX: Shape = { active: "boolean", landlock: "number?", reason: "string?" };
/** What an older server has to say of it. */
const OLDER_SANDBOX = { active: false, landlock: null, reason: "the server is older" };
const ACCESS: Shape = {
  uid: "number",
  user: "string?",
  allow: "boolean",
  rule: "string",
  detail: "string?",
  what: "string?",
  where: "string?",
  change: "string?",
};
const LISTENER_ACCESS: Shape = {
  listener: "string",
  allow: "boolean",
  rule: "string",
  where: "string?",
  change: "string?",
};

/** A user's record. @throws {Failure} 65 for any other value. */
export function asUser(value: unknown): UserRecord {
  return readRecord(value, USER) as unknown as UserRecord;
}

/** An array of user records. @throws {Failure} 65 for any other value. */
export function asUsers(value: unknown): UserRecord[] {
  return readArray(value).map(asUser);
}

/** A session's record. @throws {Failure} 65 for any other value. */
export function asSession(value: unknown): SessionRecord {
  return readRecord(value, SESSION) as unknown as SessionRecord;
}

/** An array of session records. @throws {Failure} 65 for any other value. */
export function asSessions(value: unknown): SessionRecord[] {
  return readArray(value).map(asSession);
}

/** An array of listener records. @throws {Failure} 65 for any other value. */
export function asListeners(value: unknown): ListenerRecord[] {
  return readArray(value).map((one) => {
    const record = readRecord(one, LISTENER);
    const { allow } = one as Record<string, unknown>;
    return {
      ...record,
      allow: allow === null ? null : asTexts(allow),
    } as unknown as ListenerRecord;
  });
}

/** The answer of `status`. @throws {Failure} 65 for any other value. */
export function asStatus(value: unknown): ServerStatus {
  const head = readRecord(value, STATUS);
  const { config, sandbox = OLDER_SANDBOX, listeners, refusals } = value as Record<string, unknown>;
  return {
    ...head,
    config: readRecord(config, STATUS_CONFIG),
    sandbox: readRecord(sandbox, STATUS_SANDBOX),
    listeners: asListeners(listeners),
    ...readRecord(value, STATUS_COUNTS),
    refusals: asCounts(refusals),
  } as unknown as ServerStatus;
}

/** The answer of `log.list`. @throws {Failure} 65 for any other value. */
export function asLogResult(value: unknown): LogResult {
  const counts = readRecord(value, { next: "number", dropped: "number" });
  const lines = readArray((value as Record<string, unknown>).lines).map((line) => ({
    ...line as object,
    ...readRecord(line, { time: "string", event: "string" }),
  }));
  return { ...counts, lines } as unknown as LogResult;
}

/** The answer of `access.check`. @throws {Failure} 65 for any other value. */
export function asAccess(value: unknown): AccessRecord {
  const record = readRecord(value, ACCESS);
  const { listeners = [] } = value as { readonly listeners?: unknown };
  return {
    ...record,
    listeners: readArray(listeners).map((one) => readRecord(one, LISTENER_ACCESS)),
  } as unknown as AccessRecord;
}

/** The counts of `stats`, by name. @throws {Failure} 65 for any other value. */
export function asCounts(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null) throw unexpectedAnswer();
  return Object.fromEntries(
    Object.entries(value).map(([name, count]) => {
      if (typeof count !== "number") throw unexpectedAnswer();
      return [name, count];
    }),
  );
}

/**
 * The fields of a shape, in its order. Other fields of the value are left out.
 *
 * @throws {Failure} 65 where a field is missing or of another type.
 */
export function readRecord(value: unknown, shape: Shape): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw unexpectedAnswer();
  const record = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(shape).map(([name, type]) => {
      const field = record[name];
      const optional = type.endsWith("?");
      // A server of an older version may not have the field.
      if ((field === null || field === undefined) && optional) return [name, null];
      const found: string = typeof field;
      if (found !== type.replace("?", "")) throw unexpectedAnswer();
      return [name, field];
    }),
  );
}

/** @throws {Failure} 65 for any other value. */
export function readArray(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw unexpectedAnswer();
}

function asTexts(value: unknown): string[] {
  return readArray(value).map((one) => {
    if (typeof one !== "string") throw unexpectedAnswer();
    return one;
  });
}

/** The deepest nesting of an answer, in levels; one of ipcauth has at most six. */
const MAX_LEVELS = 32;

/**
 * Whether a value has more levels than an answer may have. What shows it may call itself for each
 * level, and the stack would not hold those of a hostile server.
 */
export function isTooDeep(value: unknown, levels: number = MAX_LEVELS): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isTooDeep(member, levels - 1));
}

/** The failure of an answer whose shape is wrong. */
export function unexpectedAnswer(): Failure {
  return new Failure("The server's answer is not what this client expects", {
    exit: ExitCode.data,
    hint: "ipcauth --version, on both sides",
  });
}
