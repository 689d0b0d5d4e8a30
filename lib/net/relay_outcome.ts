/**
 * How a connection or a relay ends.
 *
 * @module
 */

/** Why received records cannot be used; the errors of `ProtocolError` in lib/protocol. */
export type RecordError =
  | "malformed"
  | "oversized"
  | "truncated"
  | "unexpected"
  | "corrupt"
  | "exhausted";

/** Why the owner of a connection ends it. */
export type TerminationReason = "idle" | "revoked" | "closed" | "shutdown";

/** Why a relay ended. */
export type RelayCloseReason = "end" | "error" | RecordError | TerminationReason;

/**
 * How a relay ended: `end` when both sides were done, `error` when a connection broke, a cipher's
 * error (`truncated`, `corrupt` …), or the reason it was aborted with.
 */
export interface RelayOutcome {
  /** Bytes of plaintext received from the first end. */
  readonly bytesIn: number;
  /** Bytes of plaintext received from the second end. */
  readonly bytesOut: number;
  readonly reason: RelayCloseReason;
  /** The end whose connection broke, or null. */
  readonly brokenEnd: "first" | "second" | null;
  /**
   * Bytes for the second end that it had not confirmed when it was closed: kept in the relay, or on
   * TCP without an acknowledgement. Those of records count with their encryption.
   */
  readonly unconfirmedIn: number;
  /** The same for the first end. */
  readonly unconfirmedOut: number;
}

/** Owns a relay. */
export interface RelayOwner {
  /**
   * Called where the relay closes although the second end has not received all of the first end's
   * stream, before either connection is closed: a Unix peer reads an ordinary end-of-file then.
   */
  onRelayCut?(reason: RelayCloseReason): void;
  /**
   * Called once, when both connections are closed, and never before the constructor has returned.
   */
  onRelayClosed(outcome: RelayOutcome): void;
}
