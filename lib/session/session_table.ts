/**
 * The open sessions, and how many each uid has.
 *
 * @module
 */
import { Session, type SessionFacts } from "./session.ts";

/** The open sessions of a data plane. */
export class SessionTable {
  readonly #open = new Map<number, Session>();
  readonly #perUid = new Map<number, number>();
  readonly #onEnd: (session: Session) => void;
  readonly #remove = (session: Session) => this.#forget(session);
  #lastId = 0;

  /** @param onEnd Called once for each session that has ended. */
  constructor(onEnd: (session: Session) => void) {
    this.#onEnd = onEnd;
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

  /** The sessions open now; a session may end during the iteration. */
  [Symbol.iterator](): IterableIterator<Session> {
    return [...this.#open.values()][Symbol.iterator]();
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
