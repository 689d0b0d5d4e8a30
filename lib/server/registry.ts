/**
 * The sessions as the control plane knows them, from what the data plane reports.
 *
 * @module
 */
import type { SessionRecord } from "../service/console/protocol.ts";
import type { JournalEntry } from "../session/journal.ts";

/** Open sessions and counts of everything that happened. */
export class Registry {
  readonly #open = new Map<number, SessionRecord>();
  readonly #counts = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };
  readonly #denied = new Map<string, number>();
  readonly #since = Date.now();

  /** Takes note of events. */
  note(batch: readonly JournalEntry[]): void {
    for (const entry of batch) this.#note(entry);
  }

  /** The open sessions, oldest first. */
  list(): SessionRecord[] {
    return [...this.#open.values()];
  }

  /** One open session. */
  get(id: number): SessionRecord | undefined {
    return this.#open.get(id);
  }

  /** A trusted peer has said whom it acts as. */
  actsAs(id: number, user: string): void {
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

  #note(entry: JournalEntry): void {
    switch (entry.event) {
      case "allow":
        this.#counts.allowed++;
        if (entry.user === null) return;
        this.#open.set(entry.session, {
          id: entry.session,
          user: entry.user,
          uid: entry.uid,
          pid: entry.peer === null ? null : entry.peer.pid,
          from: entry.from,
          listener: entry.listener,
          service: entry.service,
          since: new Date(entry.time).toISOString(),
        });
        return;
      case "deny":
        this.#counts.denied++;
        // A reason that has not come up yet has come up no times.
        this.#denied.set(entry.reason, (this.#denied.get(entry.reason) ?? 0) + 1);
        return;
      case "revoke":
        this.#counts.revoked++;
        return;
      case "close":
        this.#counts.closed++;
        this.#counts.bytes_in += entry.bytesIn ?? 0;
        this.#counts.bytes_out += entry.bytesOut ?? 0;
        this.#open.delete(entry.session);
        return;
    }
  }
}
