/**
 * The open sessions and the counters of the control plane, from the data plane's events.
 *
 * @module
 */
import type { AuditEvent } from "../log/audit_event.ts";
import type {
  AllowEvent,
  DataPlaneEvent,
  SessionUpdate,
  UnloggedEvent,
} from "../log/session_event.ts";
import { lossText } from "../log/server_log.ts";
import type { ConfigChange } from "../service/console/config_change.ts";
import type { SessionRecord } from "../service/console/protocol.ts";

/** An open session: its start, and the user that it acts as now. */
interface OpenSession {
  readonly start: AllowEvent;
  readonly user: string;
}

/** The bytes of a session so far; null where they are not known. */
export type ByteLookup = (session: number) => { readonly in: number; readonly out: number } | null;

/** Open sessions, and counters since the start of the server. */
export class SessionRegistry {
  readonly #open = new Map<number, OpenSession>();
  readonly #counts = { allowed: 0, denied: 0, revoked: 0, closed: 0, bytes_in: 0, bytes_out: 0 };
  readonly #denied = new Map<string, number>();
  readonly #startedAt = Date.now();

  /**
   * Records events.
   *
   * @returns Their audit events: updates of a session get the facts of its start.
   */
  record(batch: readonly DataPlaneEvent[]): AuditEvent[] {
    const lines: AuditEvent[] = [];
    for (const event of batch) {
      if (event.event === "unlogged") this.#recordUnlogged(event);
      else lines.push(this.#recordOne(event));
    }
    return lines;
  }

  /** The open sessions, oldest first. @param bytes Those of each, by its number. */
  list(bytes: ByteLookup): SessionRecord[] {
    return Array.from(this.#open.values(), (one) => recordOf(one, bytes));
  }

  /** An open session. */
  get(id: number, bytes: ByteLookup): SessionRecord | undefined {
    const session = this.#open.get(id);
    return session && recordOf(session, bytes);
  }

  /** How often each reason has denied a connection, since the start. */
  refusals(): Record<string, number> {
    return Object.fromEntries([...this.#denied].sort(([a], [b]) => a < b ? -1 : 1));
  }

  /** Sets the user that a trusted client acts as. */
  setUser(id: number, user: string): void {
    const session = this.#open.get(id);
    if (session !== undefined) this.#open.set(id, { ...session, user });
  }

  /** The counters since the start, and the uptime in seconds. */
  stats(): Record<string, number> {
    return {
      uptime: Math.round((Date.now() - this.#startedAt) / 1000),
      sessions: this.#open.size,
      ...this.#counts,
      ...Object.fromEntries(
        Object.entries(this.refusals()).map((
          [reason, count],
        ) => [`denied_${reason.replaceAll("-", "_")}`, count]),
      ),
    };
  }

  #recordUnlogged({ opened, closed, denied, counts }: UnloggedEvent): void {
    for (const start of opened) this.#start(start);
    for (const session of closed) this.#open.delete(session);
    for (const [reason, count] of denied) {
      this.#denied.set(reason, (this.#denied.get(reason) ?? 0) + count);
    }
    const names = Object.keys(counts) as (keyof UnloggedEvent["counts"])[];
    for (const name of names) this.#counts[name] += counts[name];
  }

  #start(event: AllowEvent): void {
    this.#open.set(event.session, { start: event, user: event.user ?? String(event.uid) });
  }

  #recordOne(event: Exclude<DataPlaneEvent, UnloggedEvent>): AuditEvent {
    switch (event.event) {
      case "error":
        return event;
      case "lost":
        return { event: "error", time: event.time, message: lossText(event.lines) };
      case "allow":
        this.#counts.allowed++;
        this.#start(event);
        return event;
      case "deny":
        this.#counts.denied++;
        // A reason without a counter has not occurred yet.
        this.#denied.set(event.reason, (this.#denied.get(event.reason) ?? 0) + 1);
        return event;
      case "revoke":
        this.#counts.revoked++;
        return this.#withSession(event);
      case "stderr":
        return this.#withSession(event);
      case "close": {
        this.#counts.closed++;
        this.#counts.bytes_in += event.bytesIn ?? 0;
        this.#counts.bytes_out += event.bytesOut ?? 0;
        const audit = this.#withSession(event);
        this.#open.delete(event.session);
        return audit;
      }
    }
  }

  /** A change that a session has made, as an event. */
  changeOf(session: number, change: ConfigChange): AuditEvent {
    const event = { event: "change", time: Date.now(), session, ...change } as const;
    return { ...event, ...this.subjectOf(session) };
  }

  #withSession(event: SessionUpdate): AuditEvent {
    return { ...event, ...this.subjectOf(event.session) };
  }

  /** The facts of a session that all its lines repeat. */
  subjectOf(id: number): Partial<AuditEvent> {
    const session = this.#open.get(id);
    if (session === undefined) return {};
    const { start: { listener, peer, remote, key }, user } = session;
    return { listener, peer, remote, key, user };
  }
}

function recordOf({ start, user }: OpenSession, bytesOf: ByteLookup): SessionRecord {
  const { session, uid, peer, from, listener, service, time } = start;
  const bytes = bytesOf(session);
  return {
    id: session,
    user,
    uid,
    pid: peer === null ? null : peer.pid,
    from,
    listener,
    service,
    since: new Date(time).toISOString(),
    bytes_in: bytes?.in ?? null,
    bytes_out: bytes?.out ?? null,
  };
}
