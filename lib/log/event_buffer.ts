/**
 * The lines of the data plane's events on their way to the control plane, which writes them.
 *
 * The data plane makes the lines itself: to hand on their bytes costs less than to hand on what is
 * in them. Lines are handed on in batches: one message for each connection would cost more than its
 * decision. They leave in order, at most {@linkcode FLUSH_DELAY_MS} after they were recorded, as
 * long as the control plane keeps up. Where it does not, they wait here, in a bounded amount that
 * is shared out between the users that they are about. What does not fit is counted in its place.
 *
 * @module
 */
import type { Reactor } from "../reactor/reactor.ts";
import type { AuditEvent } from "./audit_event.ts";
import type { LineFormatter } from "./line_formatter.ts";
import type { EventCredit } from "./event_credit.ts";
import { lineMark, MarkList, subjectsOf } from "./line_mark.ts";
import { LineShares } from "./line_shares.ts";
import { lossText } from "./loss_text.ts";

/** How long a line may wait for others, in milliseconds. */
const FLUSH_DELAY_MS = 5;
/** How many lines make a batch that is handed on at once. */
const MAX_BATCH = 256;
/** How many bytes of lines may wait, whatever they are about. */
const OPEN_CAPACITY = 256 * 1024;
/** How many bytes more, shared out between the users that they are about. */
const SHARED_CAPACITY = 4 * 1024 * 1024;
/** The most bytes of UTF-8 for a UTF-16 code unit. */
const MAX_UTF8 = 3;

/** Receives batches of lines. */
export interface EventSink {
  /**
   * @param lines In UTF-8.
   * @param marks As of {@linkcode MarkList}.
   */
  lines(lines: Uint8Array<ArrayBuffer>, marks: string): void;
}

/** What waits behind the open batch: a line, a step, or so many lines that are lost. */
type Waiting =
  | {
    readonly kind: "line";
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly mark: string;
    /** Whose share it takes. */
    readonly subjects: readonly string[];
  }
  | { readonly kind: "step"; readonly run: () => void }
  | { readonly kind: "loss"; readonly time: number; lines: number };

/**
 * Collects the lines of events and hands them on in batches.
 *
 * @example
 * ```ts
 * const events = new EventBuffer(reactor, credit, formatter, {
 *   lines: (lines, marks) => postMessage({ kind: "lines", lines, marks }),
 * });
 * events.add({ event: "deny", time, listener, peer, user: null, reason: "unknown-uid" });
 * ```
 */
export class EventBuffer {
  readonly #reactor: Reactor;
  readonly #credit: EventCredit;
  readonly #formatter: LineFormatter;
  readonly #sink: EventSink;
  readonly #encoder = new TextEncoder();
  /** The open batch: lines that wait for others. */
  readonly #open = new Uint8Array(OPEN_CAPACITY);
  #size = 0;
  #count = 0;
  readonly #marks = new MarkList();
  /** What waits behind it, where the receiver does not keep up. */
  #waiting: Waiting[] = [];
  readonly #shared = new LineShares(SHARED_CAPACITY);
  #scheduled = false;

  constructor(reactor: Reactor, credit: EventCredit, formatter: LineFormatter, sink: EventSink) {
    this.#reactor = reactor;
    this.#credit = credit;
    this.#formatter = formatter;
    this.#sink = sink;
  }

  /** Whether the control plane is so far behind that no line of a program is taken. */
  get isBehind(): boolean {
    return !this.#credit.isLeft || this.#waiting.length > 0;
  }

  /** Adds the line of an event. */
  add(event: AuditEvent): void {
    const line = this.#formatter.lineOf(event);
    if (line === null) return;
    // What waits for the next batch alone does not wait for the receiver.
    if (!this.#isOpenFor(line)) this.flush();
    if (!this.#isOpenFor(line)) return this.#addShared(line, event);
    const { written } = this.#encoder.encodeInto(line, this.#open.subarray(this.#size));
    this.#size += written;
    this.#marks.add(event);
    this.#schedule();
    if (++this.#count >= MAX_BATCH) this.flush();
  }

  /** Runs a step after the lines so far were handed on: at once, where the receiver keeps up. */
  inOrder(run: () => void): void {
    this.flush();
    if (this.#isEmpty) run();
    else this.#wait({ kind: "step", run });
  }

  /** Hands on what the receiver takes now. */
  flush(): void {
    while (!this.#isEmpty && this.#credit.isLeft) this.#handOn();
  }

  /** Hands everything on, whether the receiver keeps up or not: the thread ends. */
  flushAll(): void {
    while (!this.#isEmpty) this.#handOn();
  }

  get #isEmpty(): boolean {
    return this.#count === 0 && this.#waiting.length === 0;
  }

  #isOpenFor(line: string): boolean {
    return this.#waiting.length === 0 && this.#size + MAX_UTF8 * line.length <= OPEN_CAPACITY;
  }

  #addShared(line: string, event: AuditEvent): void {
    const bytes = this.#encoder.encode(line);
    const subjects = subjectsOf(event);
    const last = this.#waiting.at(-1);
    if (this.#shared.take(subjects, bytes.length)) {
      this.#wait({ kind: "line", bytes, mark: lineMark(event), subjects });
    } else if (last?.kind === "loss") last.lines++;
    else this.#wait({ kind: "loss", time: event.time, lines: 1 });
  }

  #wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#reactor.after(FLUSH_DELAY_MS, () => {
      this.#scheduled = false;
      this.flush();
      if (!this.#isEmpty) this.#schedule();
    });
  }

  /** Hands one batch on, or runs one step. */
  #handOn(): void {
    if (this.#count > 0) {
      const lines = this.#open.slice(0, this.#size);
      this.#size = this.#count = 0;
      this.#send(lines, this.#marks.take());
      return;
    }
    const next = this.#waiting.shift()!;
    switch (next.kind) {
      case "step":
        next.run();
        return;
      case "line":
        this.#shared.release(next.subjects, next.bytes.length);
        this.#send(next.bytes, next.mark);
        return;
      case "loss": {
        const { time, lines } = next;
        const event = { event: "error", time, message: lossText(lines) } as const;
        // Errors are logged at every level.
        this.#send(this.#encoder.encode(this.#formatter.lineOf(event)!), lineMark(event));
      }
    }
  }

  #send(lines: Uint8Array<ArrayBuffer>, marks: string): void {
    this.#credit.send(lines.length);
    this.#sink.lines(lines, marks);
  }
}
