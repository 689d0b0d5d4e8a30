/**
 * What the log says of connections and sessions, and how often each of it has happened.
 *
 * @module
 */
import { messageOf } from "../errors.ts";
import type { EventBuffer } from "../log/event_buffer.ts";
import type { DenyRecord } from "../log/session_event.ts";
import type { AllowRule } from "../policy/types.ts";
import type { Session } from "./session.ts";

/** How often something has happened since the start. */
export interface SessionCounts {
  /** By name, with the uptime in seconds and the number of open sessions. */
  readonly stats: Readonly<Record<string, number>>;
  /** How often each reason has denied a connection. */
  readonly refusals: Readonly<Record<string, number>>;
}

/**
 * Logs and counts what happens to connections and sessions.
 *
 * @example
 * ```ts
 * const events = new SessionLog(buffer);
 * events.logDeny({ listener, peer, user: null, reason: "unknown-uid" });
 * events.counts(sessions.size).stats.denied; // 1
 * ```
 */
export class SessionLog {
  readonly #buffer: EventBuffer;
  readonly #counts = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };
  readonly #denied = new Map<string, number>();
  readonly #startedAt = performance.now();

  constructor(buffer: EventBuffer) {
    this.#buffer = buffer;
  }

  /** Whether the log is so far behind that no line of a program is taken. */
  get isBehind(): boolean {
    return this.#buffer.isBehind;
  }

  /** The counts since the start. @param sessions How many are open. */
  counts(sessions: number): SessionCounts {
    const reasons = [...this.#denied].sort(([a], [b]) => a < b ? -1 : 1);
    return {
      stats: {
        uptime: Math.round((performance.now() - this.#startedAt) / 1000),
        sessions,
        ...this.#counts,
        ...Object.fromEntries(
          reasons.map(([reason, count]) => [`denied_${reason.replaceAll("-", "_")}`, count]),
        ),
      },
      refusals: Object.fromEntries(reasons),
    };
  }

  /** Records that a session has started. */
  logAllow(session: Session, rule: AllowRule): void {
    this.#counts.allowed++;
    this.#buffer.add(session.allowEvent(rule));
  }

  /** Records that a connection was denied. */
  logDeny(record: DenyRecord): void {
    this.#counts.denied++;
    // A reason without a counter has not occurred yet.
    this.#denied.set(record.reason, (this.#denied.get(record.reason) ?? 0) + 1);
    this.#buffer.add({ ...record, event: "deny", time: Date.now() });
  }

  /** Records that an open session would be denied now; its `close` follows. */
  logRevoke(session: Session, reason: string): void {
    this.#counts.revoked++;
    const subject = session.subject();
    this.#buffer.add({ ...subject, event: "revoke", time: Date.now(), reason });
  }

  /** Records a line that a session's program wrote to its standard error. */
  logStderr(session: Session, message: string): void {
    const subject = session.subject();
    this.#buffer.add({ ...subject, event: "stderr", time: Date.now(), message });
  }

  /** Records that lines of a session's program are left out here. */
  logLostStderr(session: Session, lost: number): void {
    const subject = session.subject();
    this.#buffer.add({ ...subject, event: "stderr", time: Date.now(), lost });
  }

  /** Records that a session has ended. */
  logClose(session: Session): void {
    const event = session.closeEvent();
    this.#counts.closed++;
    this.#counts.bytes_in += event.bytesIn ?? 0;
    this.#counts.bytes_out += event.bytesOut ?? 0;
    this.#buffer.add(event);
  }

  /** Records an internal or system error, unrelated to an access decision. */
  logError(error: unknown): void {
    this.#buffer.add({ event: "error", time: Date.now(), message: messageOf(error) });
    this.#buffer.flush();
  }

  /** Runs a step after the events so far were handed on: at once, where the receiver keeps up. */
  inOrder(run: () => void): void {
    this.#buffer.inOrder(run);
  }

  /** Hands everything on, whether the receiver keeps up or not: the thread ends. */
  flushAll(): void {
    this.#buffer.flushAll();
  }
}
