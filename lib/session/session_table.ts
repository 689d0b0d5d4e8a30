/**
 * The open sessions of a data plane.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import { type Admissions, OwnAdmissions } from "./admissions.ts";
import { Session, type SessionFacts } from "./session.ts";

/** The open sessions of a data plane. */
export class SessionTable {
  readonly #open = new Map<number, Session>();
  readonly #admissions: Admissions;
  readonly #onEnd: (session: Session) => void;
  readonly #onError: (error: unknown) => void;
  readonly #remove = (session: Session) => this.#forget(session);

  /**
   * @param onEnd Called once for each session that has ended.
   * @param onError Receives what {@linkcode forEach} could not do at a session.
   * @param admissions Where they are counted.
   */
  constructor(
    onEnd: (session: Session) => void,
    onError: (error: unknown) => void,
    admissions: Admissions = new OwnAdmissions(),
  ) {
    this.#admissions = admissions;
    this.#onEnd = onEnd;
    this.#onError = onError;
  }

  /** The number of open sessions. */
  get size(): number {
    return this.#open.size;
  }

  /** The open session of a number. */
  get(id: number): Session | undefined {
    return this.#open.get(id);
  }

  /** Opens a session that was admitted. Its count is given back at its end. */
  open(facts: SessionFacts): Session {
    const session = new Session(this.#admissions.nextId(), facts, this.#remove);
    this.#open.set(session.id, session);
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
    this.#admissions.giveBack(session.facts.identity.uid);
    this.#onEnd(session);
  }
}
