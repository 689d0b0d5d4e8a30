/**
 * An event of the audit log.
 *
 * @module
 */
import type { LogLevel } from "../config/types.ts";
import type { EventPeer } from "./session_event.ts";

/** One event, which is one line of the log. A field that is absent or null is left out. */
export interface AuditEvent {
  readonly event:
    | "listen"
    | "allow"
    | "deny"
    | "close"
    | "reload"
    | "change"
    | "revoke"
    | "stop"
    | "stderr"
    | "error";
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly listener?: string | null;
  readonly session?: number;
  readonly peer?: EventPeer | null;
  readonly remote?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | null;
  /** The trace id that the client has sent: 16 hex digits. */
  readonly trace?: string | undefined;
  /** A tunnel's server: `HOST:PORT`. */
  readonly server?: string;
  readonly service?: string;
  readonly reason?: string | null;
  readonly bytesIn?: number | undefined;
  readonly bytesOut?: number | undefined;
  readonly unconfirmedIn?: number | undefined;
  readonly unconfirmedOut?: number | undefined;
  /** In milliseconds. */
  readonly duration?: number;
  /** The exit status of the session's program, or the signal that ended it. */
  readonly status?: number | string | undefined;
  /** How many lines of the session's program are left out here. */
  readonly lost?: number | undefined;
  /** What was changed: by a session for `change`, in the file for `reload`. */
  readonly what?: string | null | undefined;
  /** The values before and after a `change`; left out where there was or is none. */
  readonly old?: string | undefined;
  readonly new?: string | undefined;
  /** A sentence for `reload` and `error`; for `deny` the detail that the reason leaves open. */
  readonly message?: string | null | undefined;
}

/**
 * The rank of each level; an event is logged where its rank is at least that of the log's level.
 */
export const LEVEL_RANK: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
};

/** Whether a log of a level has lines for the standard error of programs. */
export function hasStderr(level: LogLevel): boolean {
  return LEVEL_RANK.info >= LEVEL_RANK[level];
}

/** The rank of an event. */
export function rankOf({ event, message }: AuditEvent): number {
  if (event === "error") return LEVEL_RANK.error;
  if (event === "deny" || event === "revoke") return LEVEL_RANK.warn;
  return event === "reload" && message ? LEVEL_RANK.error : LEVEL_RANK.info;
}
