/**
 * The parameters of `config.commit`: unknown → changes of users and groups.
 *
 * @module
 */
import type { EntryEdit, FieldValue } from "../../config/entry_changes.ts";
import { MAX_ID } from "../../policy/id.ts";
import type { Params } from "./params.ts";
import { RpcCode } from "./protocol.ts";
import { RequestError } from "./request.ts";

/** The longest time in which a commit may be confirmed, in seconds: a day. */
export const MAX_CONFIRM_SECONDS = 86_400;

/** The names of the parameters. */
export const COMMIT_PARAMS = ["base", "changes", "check", "confirm_seconds", "force"];

/** A commit that a caller asks for. */
export interface CommitRequest {
  /** What the draft began with, as `config.entries` has answered it. */
  readonly base: string;
  readonly changes: readonly EntryEdit[];
  /** Whether nothing is written. */
  readonly check: boolean;
  /** The time in which it has to be confirmed, in seconds; null for a commit that stays. */
  readonly confirmSeconds: number | null;
  /** Whether it is made although it refuses its author. */
  readonly force: boolean;
}

/** Reads the parameters. @throws {RequestError} Invalid params. */
export function readCommit(params: Params): CommitRequest {
  const changes = params.list("changes").map(readChange);
  const seconds = params.has("confirm_seconds") ? params.count("confirm_seconds") : null;
  if (seconds !== null && seconds > MAX_CONFIRM_SECONDS) {
    throw invalid(`"confirm_seconds" is a whole number from 1 to ${MAX_CONFIRM_SECONDS}`);
  }
  return {
    base: params.text("base"),
    changes,
    check: params.flag("check"),
    confirmSeconds: seconds,
    force: params.flag("force"),
  };
}

function readChange(value: unknown): EntryEdit {
  if (!isRecord(value)) throw invalid("A change is an object");
  const { user, group, set, remove, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw invalid(`A change has no "${unknown}"; it has user or group, and set or remove`);
  }
  const name = user ?? group;
  if (typeof name !== "string" || user !== undefined && group !== undefined) {
    throw invalid('A change has one of "user" and "group", a name');
  }
  const kind = user === undefined ? "group" : "user";
  if (remove === true && set === undefined) return { kind, name, set: null };
  if (remove !== undefined || !isRecord(set)) {
    throw invalid('A change has one of "set", an object of fields, and "remove", which is true');
  }
  return { kind, name, set: Object.fromEntries(Object.entries(set).map(readField)) };
}

/** An unknown field is refused with the names of the others when the change is made. */
function readField([field, value]: [string, unknown]): [string, FieldValue] {
  const isId = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID;
  const isRight = field === "uid"
    ? isId
    : field === "gid"
    ? isId || value === null
    : typeof value === "boolean";
  if (isRight) return [field, value as FieldValue];
  const what = field === "uid"
    ? `a whole number from 0 to ${MAX_ID}`
    : field === "gid"
    ? `a whole number from 0 to ${MAX_ID}, or null`
    : "true or false";
  throw invalid(`"${field}" is ${what}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string): RequestError {
  return new RequestError(RpcCode.invalidParams, message);
}
