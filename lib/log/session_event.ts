/**
 * What happens to connections and sessions, as plain data: the events of the data plane.
 *
 * @module
 */
import type { RelayCloseReason } from "../net/relay_outcome.ts";
import type { DenyReason } from "../policy/types.ts";

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
  /**
   * Where that is a runtime of programs, the one that the process says it runs; left out where it
   * says none.
   */
  readonly program?: string | null;
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
  /** The trace id that the client has sent: 16 hex digits. */
  readonly trace?: string | undefined;
}

/** A connection that was denied. */
export interface DenyRecord extends EventSubject {
  readonly reason: DenyReason;
  /** The detail that the reason leaves open. */
  readonly message?: string | undefined;
}
