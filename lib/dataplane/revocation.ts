/**
 * Live revocation: sessions that would be denied now, or let in as another user, are terminated.
 *
 * @module
 */
import type { RevokeReason } from "../policy/types.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import type { Session } from "../session/session.ts";
import type { ListenerManager } from "./listener_manager.ts";

/** Reauthorizes open sessions. */
export class Revocation {
  readonly #context: DataPlaneContext;
  readonly #listeners: ListenerManager;

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
   * @returns Whether it goes on.
   */
  confirm(session: Session): boolean {
    return this.#check(session);
  }

  /** Logs the revocation and terminates the session. */
  revoke(session: Session, reason: RevokeReason): void {
    if (session.terminating) return;
    this.#context.events.logRevoke(session, reason);
    session.terminate("revoked");
  }

  /** @returns Whether the session goes on, and its client may have answers. */
  #check(session: Session): boolean {
    if (session.terminating) return false;
    const reason = this.#reasonFor(session);
    if (reason !== null) this.revoke(session, reason);
    return reason === null;
  }

  #reasonFor(session: Session): RevokeReason | null {
    const { authorizer, mayKeepName } = this.#context;
    const { user, identity } = session.facts;
    const reason = authorizer.revocationOf(session);
    return reason ?? (mayKeepName(user, identity) ? null : "identity-changed");
  }
}
