/**
 * What the events that no line can be written for say of sessions and counts.
 *
 * @module
 */
import type { AllowEvent, SessionEvent, UnloggedEvent } from "./session_event.ts";

/**
 * Takes events whose lines are lost, and keeps what the control plane has to know all the same: the
 * sessions that are open, and the counts. Its size is bounded by the number of open sessions.
 */
export class UnloggedEvents {
  readonly #opened = new Map<number, AllowEvent>();
  readonly #closed: number[] = [];
  readonly #denied = new Map<string, number>();
  readonly #counts = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };

  /** Whether the start of a session is among them: then no later event of it can be logged. */
  has(session: number): boolean {
    return this.#opened.has(session);
  }

  /** Takes an event. */
  add(event: SessionEvent): void {
    const counts = this.#counts;
    switch (event.event) {
      case "allow":
        counts.allowed++;
        this.#opened.set(event.session, event);
        return;
      case "deny":
        counts.denied++;
        this.#denied.set(event.reason, (this.#denied.get(event.reason) ?? 0) + 1);
        return;
      case "revoke":
        counts.revoked++;
        return;
      case "close":
        counts.closed++;
        counts.bytes_in += event.bytesIn ?? 0;
        counts.bytes_out += event.bytesOut ?? 0;
        if (!this.#opened.delete(event.session)) this.#closed.push(event.session);
        return;
    }
  }

  /** All of it as one event, to be sent after the events before them. */
  toEvent(): UnloggedEvent {
    return {
      event: "unlogged",
      opened: [...this.#opened.values()],
      closed: this.#closed,
      denied: [...this.#denied],
      counts: this.#counts,
    };
  }
}
