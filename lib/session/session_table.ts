/**
 * The sessions that are open, and how many each user has.
 *
 * @module
 */
import type { ListenerConfig } from "../config/types.ts";
import type { HostPort } from "../libc/inet_address.ts";
import type { ExitStatus } from "../libc/spawn.ts";
import type { Identity, PeerCredentials, UnixPeer } from "../policy/types.ts";
import type { KeyRing } from "../keys/key_ring.ts";
import type { SessionHandle } from "./service.ts";

/**
 * Why a session ended: `end` when both sides were done, `error` when the connection broke, `truncated`,
 * `corrupt` and so on when what came over TCP could no longer be believed, `backend-refused`,
 * `backend-timeout` and `backend-error` when what it was joined to was not there or broke, `exec-failed` when
 * its program could not be started, and otherwise what ended it from outside.
 */
export type CloseReason =
  | "end"
  | "error"
  | "truncated"
  | "corrupt"
  | "malformed"
  | "oversized"
  | "unexpected"
  | "exhausted"
  | "backend-refused"
  | "backend-timeout"
  | "backend-error"
  | "exec-failed"
  | TerminationReason;

/** Why a session is ended from outside. */
export type TerminationReason = "idle" | "revoked" | "closed" | "shutdown";

/** How a peer has proved who it is. */
export type PeerOrigin =
  /** The kernel has said it. */
  | { readonly kind: "unix"; readonly peer: UnixPeer; readonly credentials: PeerCredentials }
  /** It holds a key. */
  | {
    readonly kind: "tcp";
    readonly remote: HostPort;
    readonly keyId: string;
    /** The keys of the listener it came to. */
    readonly ring: KeyRing;
    /** Whom it wanted to act as, or null. */
    readonly actsAs: string | null;
  };

/** What is known of a session from its beginning. */
export interface SessionFacts {
  /** The listener as the log names it, such as `unix:/run/ipcauth/ipc.sock`. */
  readonly listener: string;
  /** The listener's configuration when it was opened. */
  readonly config: ListenerConfig;
  readonly service: string;
  readonly origin: PeerOrigin;
  readonly identity: Identity;
  /** The name the session runs under. */
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** Bytes that passed, as the peer and the service know them: without the access check, in plain text. */
export interface ByteCounts {
  /** From the peer. */
  readonly in: number;
  /** To the peer. */
  readonly out: number;
}

/** An accepted connection in its service. */
export class Session {
  readonly id: number;
  readonly facts: SessionFacts;
  /** The program the peer ran when it was let in, where known. For the log only. */
  executable: string | null = null;
  /** How its program ended, where it had one. */
  ending: ExitStatus | null = null;
  readonly #onEnd: (session: Session) => void;
  // The wall clock may be set while a session is open.
  readonly #began = performance.now();
  #handle: SessionHandle | null = null;
  #reason: CloseReason = "end";
  #evicted = false;
  #parties = 1;
  #bytes: ByteCounts | null = null;

  /** Made by {@linkcode SessionTable.open}. */
  constructor(
    id: number,
    facts: SessionFacts,
    onEnd: (session: Session) => void,
  ) {
    this.id = id;
    this.facts = facts;
    this.#onEnd = onEnd;
  }

  /** The host it comes from. A Unix peer is on this machine, which has this address for it. */
  get from(): string {
    const { origin } = this.facts;
    return origin.kind === "tcp" ? origin.remote.host : "127.0.0.1";
  }

  /** How long it has been open, in whole milliseconds. */
  get duration(): number {
    return Math.round(performance.now() - this.#began);
  }

  /** Why it ended, or would if it ended now. */
  get reason(): CloseReason {
    return this.#reason;
  }

  /** What passed, or null where it did not pass through us. */
  get bytes(): ByteCounts | null {
    return this.#bytes;
  }

  /** Whether its connection is closed. */
  get ended(): boolean {
    return this.#parties === 0;
  }

  /**
   * Makes the session last until somebody else is done with its connection, too.
   *
   * @returns What they have to call then, once.
   */
  retain(): () => void {
    this.#parties++;
    return () => this.#leave();
  }

  /** Says who holds the connection now. */
  attach(handle: SessionHandle): void {
    this.#handle = handle;
  }

  /** Whether it has been told to end. It may take its time. */
  get terminating(): boolean {
    return this.#evicted;
  }

  /**
   * Ends the connection from outside. What has gone wrong before stays the reason: a connection may be broken while
   * the program behind it still runs.
   */
  terminate(reason: TerminationReason): void {
    if (this.ended || this.#evicted) return;
    this.#evicted = true;
    this.setCloseReason(reason);
    this.#handle?.terminate();
  }

  /** Ends, without patience, what is left of a session that has been told to end. */
  kill(): void {
    this.#handle?.kill?.();
  }

  /** Something went wrong on the way. The first thing that does is why the session ends. */
  setCloseReason(reason: CloseReason): void {
    if (this.#reason === "end") this.#reason = reason;
  }

  /** Says what has passed. */
  recordBytes(bytes: ByteCounts): void {
    this.#bytes = bytes;
  }

  /** The service calls this once its connection is closed. */
  end(reason?: CloseReason): void {
    if (this.ended) return;
    if (reason !== undefined) this.setCloseReason(reason);
    this.#leave();
  }

  #leave(): void {
    this.#parties--;
    if (this.#parties === 0) this.#onEnd(this);
  }
}

/** Who hears of a session's end. */
export type EndListener = (session: Session) => void;

/** The open sessions of a data plane. */
export class SessionTable {
  readonly #open = new Map<number, Session>();
  readonly #perUid = new Map<number, number>();
  readonly #onEnd: EndListener;
  readonly #forgetIt = (session: Session) => this.#forget(session);
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
  countByUid(uid: number): number {
    // A uid without an entry has no session: zero is the count, not a default.
    return this.#perUid.get(uid) ?? 0;
  }

  /** The open session of a number, if there is one. */
  get(id: number): Session | undefined {
    return this.#open.get(id);
  }

  /** Begins a session. */
  open(facts: SessionFacts): Session {
    const session = new Session(++this.#lastId, facts, this.#forgetIt);
    this.#open.set(session.id, session);
    this.#perUid.set(facts.identity.uid, this.countByUid(facts.identity.uid) + 1);
    return session;
  }

  /** Those open now; ending them while walking is safe. */
  [Symbol.iterator](): IterableIterator<Session> {
    return [...this.#open.values()][Symbol.iterator]();
  }

  #forget(session: Session): void {
    this.#open.delete(session.id);
    const uid = session.facts.identity.uid;
    const left = this.countByUid(uid) - 1;
    if (left > 0) this.#perUid.set(uid, left);
    else this.#perUid.delete(uid);
    this.#onEnd(session);
  }
}
