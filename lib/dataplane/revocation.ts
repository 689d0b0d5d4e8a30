/**
 * Live revocation: sessions that would be denied now are terminated.
 *
 * @module
 */
import type { DenyReason } from "../policy/types.ts";
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

  /** Reauthorizes sessions that rest on keys: a key may expire, or its file change, at any time. */
  checkKeys(): void {
    this.#listeners.refreshKeys();
    this.#context.sessions.forEach((session) => {
      if (session.facts.origin.kind === "tcp") this.#check(session);
    });
  }

  /** Logs the revocation and terminates the session. */
  revoke(session: Session, reason: DenyReason): void {
    this.#context.events.logRevoke(session.id, reason);
    session.terminate("revoked");
  }

  #check(session: Session): void {
    if (session.terminating) return;
    const decision = this.#context.authorizer.reauthorize(session);
    if (!decision.allow) this.revoke(session, decision.reason);
  }
}
