/**
 * The sessions that are open, and how many each user has.
 *
 * @module
 */
import type { UnixListenerConfig } from "../config/types.ts";
import type { Admission, PeerCredentials, UnixPeer } from "../policy/types.ts";
import type { Occupant } from "./service.ts";

/** Why a session ended. */
export type CloseReason = "end" | "error" | "idle" | "revoked" | "closed" | "shutdown";

/** What is known of a session from its beginning. */
export interface SessionFacts {
  /** The listener as the log names it, such as `unix:/run/ipcauth/ipc.sock`. */
  readonly listener: string;
  /** The listener's configuration when it was opened. */
  readonly door: UnixListenerConfig;
  readonly service: string;
  readonly peer: UnixPeer;
  readonly credentials: PeerCredentials;
  readonly as: Admission;
  /** The name the session runs under. */
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** An accepted connection in its service. */
export class Session {
  readonly id: number;
  readonly facts: SessionFacts;
  /** The program the peer ran when it was let in, where known. For the log only. */
  executable: string | null = null;
  readonly #onEnd: (session: Session, bytesIn: number, bytesOut: number) => void;
  #occupant: Occupant | null = null;
  #reason: CloseReason = "end";
  #ended = false;

  /** Made by {@linkcode Sessions.open}. */
  constructor(
    id: number,
    facts: SessionFacts,
    onEnd: (session: Session, bytesIn: number, bytesOut: number) => void,
  ) {
    this.id = id;
    this.facts = facts;
    this.#onEnd = onEnd;
  }

  /** Why it ended, or would if it ended now. */
  get reason(): CloseReason {
    return this.#reason;
  }

  /** Whether its connection is closed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Says who holds the connection now. */
  occupy(occupant: Occupant): void {
    this.#occupant = occupant;
  }

  /** Ends the connection from outside. A session that is being ended already keeps its first reason. */
  evict(reason: CloseReason): void {
    if (this.#ended || this.#reason !== "end") return;
    this.#reason = reason;
    this.#occupant?.evict();
  }

  /** The service calls this once its connection is closed. */
  end(bytesIn: number, bytesOut: number, reason?: CloseReason): void {
    if (this.#ended) return;
    this.#ended = true;
    if (reason !== undefined && this.#reason === "end") this.#reason = reason;
    this.#onEnd(this, bytesIn, bytesOut);
  }
}

/** Who hears of a session's end. */
export type EndListener = (session: Session, bytesIn: number, bytesOut: number) => void;

/** The open sessions of a data plane. */
export class Sessions {
  readonly #open = new Map<number, Session>();
  readonly #perUid = new Map<number, number>();
  readonly #onEnd: EndListener;
  #lastId = 0;

  /** @param onEnd Hears of every session that ended, once. */
  constructor(onEnd: EndListener) {
    this.#onEnd = onEnd;
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size;
  }

  /** How many are open under a uid. */
  ofUid(uid: number): number {
    // A uid without an entry has no session: zero is the count, not a default.
    return this.#perUid.get(uid) ?? 0;
  }

  /** The open session of a number, if there is one. */
  get(id: number): Session | undefined {
    return this.#open.get(id);
  }

  /** Begins a session. */
  open(facts: SessionFacts): Session {
    const session = new Session(++this.#lastId, facts, (session, bytesIn, bytesOut) => {
      this.#forget(session);
      this.#onEnd(session, bytesIn, bytesOut);
    });
    this.#open.set(session.id, session);
    this.#perUid.set(facts.as.uid, this.ofUid(facts.as.uid) + 1);
    return session;
  }

  /** Those open now; ending them while walking is safe. */
  [Symbol.iterator](): IterableIterator<Session> {
    return [...this.#open.values()][Symbol.iterator]();
  }

  #forget(session: Session): void {
    this.#open.delete(session.id);
    const uid = session.facts.as.uid;
    const left = this.ofUid(uid) - 1;
    if (left > 0) this.#perUid.set(uid, left);
    else this.#perUid.delete(uid);
  }
}
