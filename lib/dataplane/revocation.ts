/**
 * Live revocation: sessions that would be denied now, or let in as another user, are terminated.
 *
 * @module
 */
import { FIRST_ANSWER_MS } from "../names/known_names.ts";
import type { RevokeReason } from "../policy/types.ts";
import type { Timer } from "../reactor/timers.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import type { Session } from "../session/session.ts";
import type { ListenerManager } from "./listener_manager.ts";

/**
 * What of a session: it goes on, it is terminated, or it waits for a first answer of the name
 * service, and its client gets no answer meanwhile.
 */
type SessionOutcome = "valid" | "revoked" | "awaited";

/** Reauthorizes open sessions. */
export class Revocation {
  readonly #context: DataPlaneContext;
  readonly #listeners: ListenerManager;
  /** Since when sessions wait, on the clock of `performance.now()`. */
  readonly #waiting = new Map<Session, number>();
  #timer: Timer | null = null;

  constructor(context: DataPlaneContext, listeners: ListenerManager) {
    this.#context = context;
    this.#listeners = listeners;
  }

  /** Reauthorizes every session, after a change of the configuration. */
  checkAll(): void {
    this.#listeners.refreshKeys();
    this.#context.sessions.forEach((session) => this.#check(session));
  }

  /** Reauthorizes the sessions of uids whose accounts have changed, or are known at last. */
  checkUsers(uids: ReadonlySet<number>): void {
    this.#context.sessions.forEach((session) => {
      if (!uids.has(session.facts.identity.uid)) return;
      this.#context.authorizer.followGroups(session);
      this.#check(session);
    });
  }

  /**
   * Reauthorizes sessions that rest on keys: a key may expire, or its file change, at any time.
   *
   * @returns After how many milliseconds to do it again, because a key file is being written; else
   * 0.
   */
  checkKeys(): number {
    const wait = this.#listeners.refreshKeys();
    this.#context.sessions.forEach((session) => {
      if (session.facts.origin.kind === "tcp") this.#check(session);
    });
    return wait;
  }

  /**
   * Reauthorizes one session, for a request of its client. The configuration and the key of the
   * session have to have been refreshed just before.
   *
   * @returns What comes of it.
   */
  confirm(session: Session): SessionOutcome {
    return this.#check(session);
  }

  /** Logs the revocation and terminates the session. */
  revoke(session: Session, reason: RevokeReason): void {
    if (session.terminating) return;
    this.#context.events.logRevoke(session, reason);
    session.terminate("revoked");
  }

  #check(session: Session): SessionOutcome {
    if (session.terminating) return "revoked";
    const reason = this.#reasonFor(session);
    if (reason !== null && this.#mayWait(session)) return "awaited";
    this.#waiting.delete(session);
    if (reason === null) return "valid";
    this.revoke(session, reason);
    return "revoked";
  }

  /**
   * Whether a session that would be revoked waits for a first answer of the name service, as new
   * connections do, which may say that it goes on. No answers and no changes make it wait longer.
   */
  #mayWait(session: Session): boolean {
    if (!this.#context.authorizer.restsOnFirstAnswer(session)) return false;
    const now = performance.now();
    const since = this.#waiting.get(session);
    if (since !== undefined) return now - since < FIRST_ANSWER_MS;
    this.#waiting.set(session, now);
    this.#schedule(now);
    return true;
  }

  /** @param since When the session that has waited longest began. */
  #schedule(since: number): void {
    const time = since + FIRST_ANSWER_MS - performance.now();
    this.#timer ??= this.#context.reactor.after(time, () => this.#checkWaiting());
  }

  /** Reauthorizes the sessions that wait: for some of them, the time is over. */
  #checkWaiting(): void {
    this.#timer = null;
    const ended = new Set(this.#waiting.keys());
    this.#context.sessions.forEach((session) => {
      if (ended.delete(session)) this.#check(session);
    });
    for (const session of ended) this.#waiting.delete(session);
    // They are in the order of their times.
    const [first] = this.#waiting.values();
    if (first !== undefined) this.#schedule(first);
  }

  #reasonFor(session: Session): RevokeReason | null {
    const { authorizer, mayKeepName } = this.#context;
    const { user, identity } = session.facts;
    const reason = authorizer.revocationOf(session);
    return reason ?? (mayKeepName(user, identity) ? null : "identity-changed");
  }
}
