/**
 * The data plane's events on their way to the audit log.
 *
 * Events are handed on in batches: one message for each connection would cost more than its
 * decision. They leave in order, at most {@linkcode FLUSH_DELAY_MS} after they were recorded.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { AllowRecord, CloseRecord, DenyRecord, SessionEvent } from "./session_event.ts";

/** How long an event may wait for others, in milliseconds. */
const FLUSH_DELAY_MS = 5;
/** How many events make a batch that is handed on at once. */
const MAX_BATCH = 256;

/** Receives events and errors. */
export interface EventSink {
  events(batch: readonly SessionEvent[]): void;
  /** An internal or system error, unrelated to an access decision; text without secrets. */
  error(message: string): void;
}

/**
 * Collects events and hands them on in batches.
 *
 * @example
 * ```ts
 * const events = new EventBuffer(reactor, {
 *   events: (batch) => postMessage({ kind: "events", batch }),
 *   error: (message) => postMessage({ kind: "error", message }),
 * });
 * events.logDeny({ listener, peer, user: null, reason: "unknown-uid" });
 * ```
 */
export class EventBuffer {
  readonly #reactor: Reactor;
  readonly #sink: EventSink;
  #batch: SessionEvent[] = [];
  #scheduled = false;

  constructor(reactor: Reactor, sink: EventSink) {
    this.#reactor = reactor;
    this.#sink = sink;
  }

  /** Records that a session has started. */
  logAllow(record: AllowRecord): void {
    this.#add({ ...record, event: "allow" });
  }

  /** Records that a connection was denied. */
  logDeny(record: DenyRecord): void {
    this.#add({ ...record, time: Date.now(), event: "deny" });
  }

  /** Records that an open session would be denied now; its `close` follows. */
  logRevoke(session: number, reason: string): void {
    this.#add({ event: "revoke", time: Date.now(), session, reason });
  }

  /** Records a line that a session's program wrote to its standard error. */
  logStderr(session: number, message: string): void {
    this.#add({ event: "stderr", time: Date.now(), session, message });
  }

  /** Records that lines of a session's program are left out here. */
  logLostStderr(session: number, lost: number): void {
    this.#add({ event: "stderr", time: Date.now(), session, lost });
  }

  /** Records that a session has ended. */
  logClose(record: CloseRecord): void {
    this.#add({ ...record, event: "close", time: Date.now() });
  }

  /** Records an internal or system error, unrelated to an access decision. */
  logError(error: unknown): void {
    this.flush();
    this.#sink.error(messageOf(error));
  }

  /** Hands the collected events on now. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#sink.events(batch);
  }

  #add(event: SessionEvent): void {
    this.#batch.push(event);
    if (this.#batch.length >= MAX_BATCH) this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#reactor.after(FLUSH_DELAY_MS, () => {
      this.#scheduled = false;
      this.flush();
    });
  }
}
