/**
 * The data plane's events on their way to the audit log.
 *
 * Events are handed on in batches: one message for each connection would cost more than its
 * decision. They leave in order, at most {@linkcode FLUSH_DELAY_MS} after they were recorded, as
 * long as the control plane keeps up. Where it does not, they wait here, in a bounded amount that
 * is shared out between the users that they are about. What does not fit is counted in its place.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { EventCredit } from "./event_credit.ts";
import { LineShares } from "./line_shares.ts";
import { subjectsOf } from "./log_subjects.ts";
import type {
  AllowRecord,
  CloseRecord,
  DataPlaneEvent,
  DenyRecord,
  ErrorEvent,
  SessionEvent,
} from "./session_event.ts";
import { UnloggedEvents } from "./unlogged_events.ts";

/** How long an event may wait for others, in milliseconds. */
const FLUSH_DELAY_MS = 5;
/** How many events make a batch that is handed on at once. */
const MAX_BATCH = 256;
/** How many bytes of events may wait, whatever they are about. */
const OPEN_CAPACITY_BYTES = 256 * 1024;
/** How many bytes more, shared out between the users that they are about. */
const SHARED_CAPACITY_BYTES = 4 * 1024 * 1024;
/** What an event takes beside its texts, in bytes: about that of its line. */
const EVENT_BYTES = 256;

/** Receives batches of events. */
export interface EventSink {
  /** @param bytes What they count for in the credit. */
  events(batch: readonly DataPlaneEvent[], bytes: number): void;
}

/** An event, or a step that must not overtake one. */
interface Waiting {
  readonly event: DataPlaneEvent | null;
  readonly run: (() => void) | null;
  readonly bytes: number;
  /** Whose share it takes, if any. */
  readonly subjects: readonly string[] | null;
}

/**
 * Collects events and hands them on in batches.
 *
 * @example
 * ```ts
 * const events = new EventBuffer(reactor, credit, {
 *   events: (batch, bytes) => postMessage({ kind: "events", batch, bytes }),
 * });
 * events.logDeny({ listener, peer, user: null, reason: "unknown-uid" });
 * ```
 */
export class EventBuffer {
  readonly #reactor: Reactor;
  readonly #credit: EventCredit;
  readonly #sink: EventSink;
  #waiting: Waiting[] = [];
  /** How many bytes wait. */
  #size = 0;
  readonly #shared = new LineShares(SHARED_CAPACITY_BYTES);
  #unlogged: UnloggedEvents | null = null;
  #scheduled = false;

  constructor(reactor: Reactor, credit: EventCredit, sink: EventSink) {
    this.#reactor = reactor;
    this.#credit = credit;
    this.#sink = sink;
  }

  /** Whether the control plane is so far behind that no line of a program is taken. */
  get isBehind(): boolean {
    return !this.#credit.isLeft || this.#size > OPEN_CAPACITY_BYTES;
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
  logRevoke(session: number, user: string, reason: string): void {
    this.#add({ event: "revoke", time: Date.now(), session, user, reason });
  }

  /** Records a line that a session's program wrote to its standard error. */
  logStderr(session: number, user: string, message: string): void {
    this.#add({ event: "stderr", time: Date.now(), session, user, message });
  }

  /** Records that lines of a session's program are left out here. */
  logLostStderr(session: number, user: string, lost: number): void {
    this.#add({ event: "stderr", time: Date.now(), session, user, lost });
  }

  /** Records that a session has ended. */
  logClose(record: CloseRecord): void {
    this.#add({ ...record, event: "close", time: Date.now() });
  }

  /** Records an internal or system error, unrelated to an access decision. */
  logError(error: unknown): void {
    this.#add({ event: "error", time: Date.now(), message: messageOf(error) });
    this.flush();
  }

  /** Runs a step after the events so far were handed on: at once, where the receiver keeps up. */
  inOrder(run: () => void): void {
    this.flush();
    if (this.#waiting.length === 0) run();
    else this.#wait({ event: null, run, bytes: 0, subjects: null });
  }

  /** Hands on what the receiver takes now. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#credit.isLeft) this.#handOn();
    if (this.#waiting.length === 0) this.#handOnUnlogged();
  }

  /** Hands everything on, whether the receiver keeps up or not: the thread ends. */
  flushAll(): void {
    while (this.#waiting.length > 0) this.#handOn();
    this.#handOnUnlogged();
  }

  #add(event: SessionEvent | ErrorEvent): void {
    const bytes = bytesOf(event);
    // What waits for the next batch alone does not wait for the receiver.
    if (this.#size + bytes > OPEN_CAPACITY_BYTES) this.flush();
    if (this.#size + bytes <= OPEN_CAPACITY_BYTES && !this.#isUnlogged(event)) {
      this.#wait({ event, run: null, bytes, subjects: null });
    } else this.#addShared(event, bytes);
    if (this.#waiting.length >= MAX_BATCH) this.flush();
  }

  #addShared(event: SessionEvent | ErrorEvent, bytes: number): void {
    const subjects = subjectsOf(event.event === "error" ? {} : event);
    if (!this.#isUnlogged(event) && this.#shared.take(subjects, bytes)) {
      this.#wait({ event, run: null, bytes, subjects });
      return;
    }
    const last = this.#waiting.at(-1)?.event;
    if (last?.event === "lost") last.lines++;
    else {
      const lost: DataPlaneEvent = { event: "lost", time: event.time, lines: 1 };
      this.#wait({ event: lost, run: null, bytes: 0, subjects: null });
    }
    if (event.event !== "error") (this.#unlogged ??= new UnloggedEvents()).add(event);
  }

  /** Whether the start of the event's session has not been logged. */
  #isUnlogged(event: SessionEvent | ErrorEvent): boolean {
    return this.#unlogged !== null && "session" in event && this.#unlogged.has(event.session);
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#size += waiting.bytes;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#reactor.after(FLUSH_DELAY_MS, () => {
      this.#scheduled = false;
      this.flush();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  /** Hands one batch on, or runs one step. */
  #handOn(): void {
    const step = this.#waiting[0]!.run;
    if (step !== null) {
      this.#waiting.shift();
      step();
      return;
    }
    const next = this.#waiting.findIndex(({ run }) => run !== null);
    const end = Math.min(next < 0 ? this.#waiting.length : next, MAX_BATCH);
    const batch = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    let size = 0;
    for (const { bytes, subjects } of batch) {
      size += bytes;
      if (subjects !== null) this.#shared.release(subjects, bytes);
    }
    this.#size -= size;
    this.#credit.send(size);
    this.#sink.events(batch.map(({ event }) => event!), size);
  }

  #handOnUnlogged(): void {
    const unlogged = this.#unlogged;
    if (unlogged === null) return;
    this.#unlogged = null;
    this.#sink.events([unlogged.toEvent()], 0);
  }
}

/** About the length of the event's line, in bytes. */
function bytesOf(event: SessionEvent | ErrorEvent): number {
  if (event.event === "allow" || event.event === "deny") {
    return EVENT_BYTES + event.listener.length + (event.peer?.exe?.length ?? 0);
  }
  return "message" in event ? EVENT_BYTES + (event.message?.length ?? 0) : EVENT_BYTES;
}
