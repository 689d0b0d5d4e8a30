/**
 * What happened at the doors, gathered for the audit log.
 *
 * Entries are handed on in batches: one message for each connection would cost more than deciding about
 * it. They leave in order, at the latest {@linkcode DELAY} after they were made.
 *
 * @module
 */
import { hostPortText } from "../libc/inet_address.ts";
import { type ExitStatus, signalName } from "../libc/spawn.ts";
import type { AllowRule, DenyReason } from "../policy/types.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { CloseReason, Session } from "../session/session_table.ts";

/** How long an entry may wait for others, in milliseconds. */
const DELAY = 5;
/** How many entries make a batch that waits no longer. */
const BATCH = 256;

/** The peer of an entry. */
export interface EventPeer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly exe: string | null;
}

/** Who came, as far as it is known, and where. */
export interface EventSubject {
  readonly listener: string;
  /** The peer of a Unix socket. */
  readonly peer: EventPeer | null;
  /** `HOST:PORT` of a peer on TCP. */
  readonly remote?: string | undefined;
  /** The id of the key it holds, or claims to hold. */
  readonly key?: string | undefined;
  readonly user: string | null;
}

/** Someone who is refused. */
export interface DeniedPeer extends EventSubject {
  readonly reason: DenyReason;
  /** What exactly was wrong, where the reason leaves it open. */
  readonly message?: string | undefined;
}

/** The beginning of a session. The entries that follow about it name its number only. */
export interface AllowEvent extends EventSubject {
  readonly event: "allow";
  /** Milliseconds since the epoch, as in every entry. */
  readonly time: number;
  readonly session: number;
  readonly reason: AllowRule;
  readonly service: string;
  /** Whom the session acts as, and from where; for those who list sessions. */
  readonly uid: number;
  readonly from: string;
}

/** Something that happened to a session. */
export type SessionUpdate =
  & { readonly time: number; readonly session: number }
  & (
    | { readonly event: "revoke"; readonly reason: string }
    /** A line that its program has written to its standard error. */
    | { readonly event: "stderr"; readonly message: string }
    | {
      readonly event: "close";
      readonly reason: CloseReason;
      /** Left out where the peer spoke with its program alone. */
      readonly bytesIn: number | undefined;
      readonly bytesOut: number | undefined;
      readonly duration: number;
      /** The exit status of its program, or the signal that ended it. */
      readonly status: number | string | undefined;
    }
  );

/** One event at a door. */
export type SessionEvent =
  | AllowEvent
  | (DeniedPeer & { readonly event: "deny"; readonly time: number })
  | SessionUpdate;

/** Where entries and faults go. */
export interface EventSink {
  events(batch: readonly SessionEvent[]): void;
  /** An error that is a bug of ours or the machine's trouble; text without secrets. */
  error(message: string): void;
}

/** Gathers entries and hands them on. */
export class EventBuffer {
  readonly #reactor: Reactor;
  readonly #reader: EventSink;
  #batch: SessionEvent[] = [];
  #scheduled = false;

  constructor(reactor: Reactor, reader: EventSink) {
    this.#reactor = reactor;
    this.#reader = reader;
  }

  /** Someone was let in. */
  logAllow(session: Session, rule: AllowRule): void {
    const { facts, executable, from, id } = session;
    const { origin, listener, user, service, identity, since } = facts;
    const isUnix = origin.kind === "unix";
    this.#add({
      event: "allow",
      time: since,
      listener,
      session: id,
      peer: isUnix ? { ...origin.credentials, exe: executable } : null,
      remote: isUnix ? undefined : hostPortText(origin.remote),
      key: isUnix ? undefined : origin.keyId,
      user,
      service,
      reason: rule,
      uid: identity.uid,
      from,
    });
  }

  /** Someone was not. */
  logDeny(refused: DeniedPeer): void {
    this.#add({ ...refused, time: Date.now(), event: "deny" });
  }

  /** Someone who was in would be refused now. */
  logRevoke(session: Session, reason: string): void {
    this.#add({ event: "revoke", time: Date.now(), session: session.id, reason });
  }

  /** A session's program has written a line to its standard error. */
  logStderr(session: Session, message: string): void {
    this.#add({ event: "stderr", time: Date.now(), session: session.id, message });
  }

  /** A session ended. */
  logClose(session: Session): void {
    this.#add({
      event: "close",
      time: Date.now(),
      session: session.id,
      reason: session.reason,
      bytesIn: session.bytes?.in,
      bytesOut: session.bytes?.out,
      status: session.ending === null ? undefined : statusOf(session.ending),
      duration: session.duration,
    });
  }

  /** Something went wrong that is nobody's decision. */
  logError(error: unknown): void {
    this.flush();
    this.#reader.error(error instanceof Error ? error.message : String(error));
  }

  /** Hands on what there is, now. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#reader.events(batch);
  }

  #add(entry: SessionEvent): void {
    this.#batch.push(entry);
    if (this.#batch.length >= BATCH) this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#reactor.after(DELAY, () => {
      this.#scheduled = false;
      this.flush();
    });
  }
}

function statusOf(ending: ExitStatus): number | string {
  return "status" in ending ? ending.status : signalName(ending.signal);
}
