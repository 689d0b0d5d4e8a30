/**
 * What happens to connections and sessions, as plain data: the events of the data plane.
 *
 * @module
 */
import type { RelayCloseReason } from "../net/relay_outcome.ts";
import type { AllowRule, DenyReason } from "../policy/types.ts";

/**
 * Why a session ended: `end` when both sides were done, `error` when the client's connection broke,
 * `truncated`, `corrupt` and so on when bytes received over TCP were not authentic or not in order,
 * `backend-refused`, `backend-timeout` and `backend-error` when the backend could not be reached or
 * broke, `backend-untrusted` when it runs as another user than the listener's may, `exec-failed`
 * when the program could not be started, or the reason for which the server ended it.
 */
export type CloseReason =
  | RelayCloseReason
  | "backend-refused"
  | "backend-timeout"
  | "backend-error"
  | "backend-untrusted"
  | "exec-failed";

/** The peer of an event: `struct ucred` of `unix(7)` and its program. */
export interface EventPeer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** The path of its program, or null where the kernel does not say. */
  readonly exe: string | null;
}

/** The client of an event, as far as it is known, and the listener it connected to. */
export interface EventSubject {
  readonly listener: string;
  /** The peer of a Unix socket; null on TCP. */
  readonly peer: EventPeer | null;
  /** `HOST:PORT` of a TCP peer. */
  readonly remote?: string | undefined;
  /** The id of the key that the client holds, or in a `deny` claims to hold. */
  readonly key?: string | undefined;
  readonly user: string | null;
}

/** A connection that was denied. */
export interface DenyRecord extends EventSubject {
  readonly reason: DenyReason;
  /** The detail that the reason leaves open. */
  readonly message?: string | undefined;
}

/** The start of a session. Later events of the session carry its number only. */
export interface AllowRecord extends EventSubject {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly session: number;
  readonly reason: AllowRule;
  readonly service: string;
  /** The uid of the session's identity. */
  readonly uid: number;
  /** The client's host, such as `127.0.0.1`. */
  readonly from: string;
}

/** The end of a session. */
export interface CloseRecord {
  readonly session: number;
  /** The user name that the session started with. */
  readonly user: string;
  readonly reason: CloseReason;
  /** Bytes of plaintext; undefined where the program had the connection to itself. */
  readonly bytesIn: number | undefined;
  readonly bytesOut: number | undefined;
  /** Bytes from and to the client without a confirmation; undefined where there are none. */
  readonly unconfirmedIn: number | undefined;
  readonly unconfirmedOut: number | undefined;
  /** In milliseconds. */
  readonly duration: number;
  /** The exit status of the session's program, or the signal that ended it, such as `SIGTERM`. */
  readonly status: number | string | undefined;
}

/** The start of a session, as an event. */
export type AllowEvent = AllowRecord & { readonly event: "allow" };

/** An event of a session that has started. `time` is in milliseconds since the epoch. */
export type SessionUpdate =
  & { readonly time: number; readonly session: number; readonly user: string }
  & (
    | { readonly event: "revoke"; readonly reason: string }
    /** A line that the session's program wrote to its standard error, or so many are left out. */
    | { readonly event: "stderr"; readonly message?: string; readonly lost?: number }
    | { readonly event: "close" } & CloseRecord
  );

/** What happened to a connection or to a session. */
export type SessionEvent =
  | AllowEvent
  | (DenyRecord & { readonly event: "deny"; readonly time: number })
  | SessionUpdate;

/** An internal or system error, unrelated to an access decision; text without secrets. */
export interface ErrorEvent {
  readonly event: "error";
  readonly time: number;
  readonly message: string;
}

/** So many events are not logged here, because too many waited. */
export interface LostEvent {
  readonly event: "lost";
  readonly time: number;
  lines: number;
}

/** What the lost events say, beside their lines. */
export interface UnloggedEvent {
  readonly event: "unlogged";
  /** Sessions that have started, and are open. */
  readonly opened: readonly AllowEvent[];
  /** The numbers of sessions that have ended, whose start was logged. */
  readonly closed: readonly number[];
  /** How often a reason has denied a connection. */
  readonly denied: readonly (readonly [reason: string, count: number])[];
  readonly counts: {
    readonly allowed: number;
    readonly denied: number;
    readonly revoked: number;
    readonly closed: number;
    readonly bytes_in: number;
    readonly bytes_out: number;
  };
}

/** An event of the data plane. */
export type DataPlaneEvent = SessionEvent | ErrorEvent | LostEvent | UnloggedEvent;
