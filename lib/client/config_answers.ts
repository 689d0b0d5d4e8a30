/**
 * The server's answers about its configuration, checked: unknown → records.
 *
 * @module
 */
import type {
  CommitRecord,
  ConfigRecord,
  DraftRecord,
  GroupRecord,
  UnconfirmedRecord,
} from "../service/console/protocol.ts";
import { asUser, readArray, readRecord, unexpectedAnswer } from "./answers.ts";

/** The answer of `config.show`. @throws {Failure} 65 for any other value. */
export function asConfig(value: unknown): ConfigRecord {
  const head = readRecord(value, { path: "string?", users: "number" });
  const { problem, listeners, groups, limits, log, directory } = value as Record<string, unknown>;
  return {
    path: head.path as string | null,
    problem: problem === null
      ? null
      : readRecord(problem, { since: "string", message: "string" }) as {
        since: string;
        message: string;
      },
    listeners: listeners === null ? null : readArray(listeners).map(asObject),
    users: head.users as number,
    groups: readArray(groups).map(asGroup),
    limits: asObject(limits),
    log: asObject(log),
    directory: asObject(directory),
  };
}

/** The answer of `config.entries`. @throws {Failure} 65 for any other value. */
export function asDraft(value: unknown): DraftRecord {
  const { base } = readRecord(value, { base: "string" });
  const { users, groups, unconfirmed } = value as Record<string, unknown>;
  return {
    base: base as string,
    users: readArray(users).map(asUser),
    groups: readArray(groups).map(asGroup),
    unconfirmed: asUnconfirmed(unconfirmed),
  };
}

/** The answer of `config.commit`. @throws {Failure} 65 for any other value. */
export function asCommit(value: unknown): CommitRecord {
  const { base, changed } = readRecord(value, { base: "string", changed: "boolean" });
  const unconfirmed = asUnconfirmed((value as Record<string, unknown>).unconfirmed);
  return { base: base as string, changed: changed as boolean, unconfirmed };
}

/** The answer of `config.reload`. @throws {Failure} 65 for any other value. */
export function asReloaded(value: unknown): { readonly path: string | null } {
  return readRecord(value, { path: "string?" }) as { path: string | null };
}

/** The answer of `config.confirm`. @throws {Failure} 65 for any other value. */
export function asConfirmed(value: unknown): { readonly user: string } {
  return readRecord(value, { user: "string" }) as { user: string };
}

function asGroup(value: unknown): GroupRecord {
  const shape = { name: "string", gid: "number?", local_ipc_access: "boolean" } as const;
  return readRecord(value, shape) as unknown as GroupRecord;
}

function asUnconfirmed(value: unknown): UnconfirmedRecord | null {
  if (value === null || value === undefined) return null;
  const record = readRecord(value, { user: "string", seconds: "number" });
  return record as unknown as UnconfirmedRecord;
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw unexpectedAnswer();
}
