/**
 * The sessions as the control plane knows them, from what the data plane reports.
 *
 * @module
 */
import type { SessionRecord } from "../service/console/protocol.ts";
import type { AllowEvent, SessionEvent, SessionUpdate } from "../log/event_buffer.ts";
import type { AuditEvent } from "../log/audit_event.ts";

/** An open session: how it began, and whom it acts as by now. */
interface Open {
  readonly began: AllowEvent;
  readonly user: string;
}

/** Open sessions and counts of everything that happened. */
export class SessionRegistry {
  readonly #open = new Map<number, Open>();
  readonly #counts = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };
  readonly #denied = new Map<string, number>();
  readonly #since = Date.now();

  /** Takes note of events. @returns Their lines of the log: what happens to a session is told with who it is. */
  record(batch: readonly SessionEvent[]): AuditEvent[] {
    return batch.map((entry) => this.#note(entry));
  }

  /** The open sessions, oldest first. */
  list(): SessionRecord[] {
    return Array.from(this.#open.values(), recordOf);
  }

  /** One open session. */
  get(id: number): SessionRecord | undefined {
    const session = this.#open.get(id);
    return session && recordOf(session);
  }

  /** A trusted peer has said whom it acts as. */
  setUser(id: number, user: string): void {
    const session = this.#open.get(id);
    if (session !== undefined) this.#open.set(id, { ...session, user });
  }

  /** The counts since the start; times in seconds. */
  stats(): Record<string, number> {
    const reasons = [...this.#denied].sort(([a], [b]) => a < b ? -1 : 1);
    return {
      uptime: Math.round((Date.now() - this.#since) / 1000),
      sessions: this.#open.size,
      ...this.#counts,
      ...Object.fromEntries(
        reasons.map(([reason, count]) => [`denied_${reason.replaceAll("-", "_")}`, count]),
      ),
    };
  }

  #note(entry: SessionEvent): AuditEvent {
    switch (entry.event) {
      case "allow":
        this.#counts.allowed++;
        this.#open.set(entry.session, { began: entry, user: entry.user ?? String(entry.uid) });
        return entry;
      case "deny":
        this.#counts.denied++;
        // A reason that has not come up yet has come up no times.
        this.#denied.set(entry.reason, (this.#denied.get(entry.reason) ?? 0) + 1);
        return entry;
      case "revoke":
        this.#counts.revoked++;
        return this.#lineOf(entry);
      case "stderr":
        return this.#lineOf(entry);
      case "close": {
        this.#counts.closed++;
        this.#counts.bytes_in += entry.bytesIn ?? 0;
        this.#counts.bytes_out += entry.bytesOut ?? 0;
        const line = this.#lineOf(entry);
        this.#open.delete(entry.session);
        return line;
      }
    }
  }

  #lineOf(entry: SessionUpdate): AuditEvent {
    const session = this.#open.get(entry.session);
    if (session === undefined) return entry;
    const { began: { listener, peer, remote, key }, user } = session;
    return { ...entry, listener, peer, remote, key, user };
  }
}

function recordOf({ began, user }: Open): SessionRecord {
  const { session, uid, peer, from, listener, service, time } = began;
  return {
    id: session,
    user,
    uid,
    pid: peer === null ? null : peer.pid,
    from,
    listener,
    service,
    since: new Date(time).toISOString(),
  };
}
