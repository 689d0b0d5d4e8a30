/**
 * The open sessions, and how many each uid has.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import { Session, type SessionFacts } from "./session.ts";

/** The open sessions of a data plane. */
export class SessionTable {
  readonly #open = new Map<number, Session>();
  readonly #perUid = new Map<number, number>();
  readonly #onEnd: (session: Session) => void;
  readonly #onError: (error: unknown) => void;
  readonly #remove = (session: Session) => this.#forget(session);
  #lastId = 0;

  /**
   * @param onEnd Called once for each session that has ended.
   * @param onError Receives what {@linkcode forEach} could not do at a session.
   */
  constructor(onEnd: (session: Session) => void, onError: (error: unknown) => void) {
    this.#onEnd = onEnd;
    this.#onError = onError;
  }

  /** The number of open sessions. */
  get size(): number {
    return this.#open.size;
  }

  /** The number of open sessions of a uid. */
  countByUid(uid: number): number {
    // A uid without an entry has no session: zero is the count, not a default.
    return this.#perUid.get(uid) ?? 0;
  }

  /** The open session of a number. */
  get(id: number): Session | undefined {
    return this.#open.get(id);
  }

  /** Opens a session. It counts from here on. */
  open(facts: SessionFacts): Session {
    const { uid } = facts.identity;
    const session = new Session(++this.#lastId, facts, this.#remove);
    this.#open.set(session.id, session);
    this.#perUid.set(uid, this.countByUid(uid) + 1);
    return session;
  }

  /**
   * Runs an action on each session open now; a session may end meanwhile. An error at one session
   * is reported and keeps none of the others from its turn: every loop over sessions is this one.
   */
  forEach(action: (session: Session) => void): void {
    guardEach([...this.#open.values()], action, this.#onError);
  }

  /** Whether an open session meets a condition. */
  some(matches: (session: Session) => boolean): boolean {
    return this.#open.values().some(matches);
  }

  #forget(session: Session): void {
    this.#open.delete(session.id);
    const { uid } = session.facts.identity;
    const left = this.countByUid(uid) - 1;
    if (left > 0) this.#perUid.set(uid, left);
    else this.#perUid.delete(uid);
    this.#onEnd(session);
  }
}
