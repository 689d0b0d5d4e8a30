/**
 * An accepted connection in its service.
 *
 * @module
 */
import type { ListenerConfig } from "../config/types.ts";
import type { KeyRing } from "../keys/key_ring.ts";
import { type HostPort, hostPortText } from "../libc/inet_address.ts";
import { type ExitStatus, signalName } from "../libc/spawn.ts";
import type { AuditEvent } from "../log/audit_event.ts";
import type { CloseReason, EventSubject } from "../log/session_event.ts";
import type { RelayOutcome, TerminationReason } from "../net/relay_outcome.ts";
import type { AllowRule, Identity, PeerCredentials } from "../policy/types.ts";
import { type ExecutableFacts, UNKNOWN } from "./peer.ts";

/** How the client's identity was established. */
export type PeerOrigin =
  /** By the kernel (`SO_PEERCRED`, `SO_PEERGROUPS`). */
  | {
    readonly kind: "unix";
    readonly credentials: PeerCredentials;
    /** Null where `SO_PEERGROUPS` could not be read. */
    readonly groups: readonly number[] | null;
  }
  /** By the access check. */
  | {
    readonly kind: "tcp";
    readonly remote: HostPort;
    readonly keyId: string;
    /** The keys of the listener. */
    readonly ring: KeyRing;
    /** The user that the client asked to act as, or null. */
    readonly actsAs: string | null;
    /** The trace id that the client has sent; for the log only. */
    readonly trace: string | undefined;
  };

/** What every line of the log about a session repeats. */
export interface SessionSubject extends EventSubject {
  readonly session: number;
}

/** The facts of a session that never change. */
export interface SessionFacts {
  /** The listener as the log writes it, such as `unix:/run/ipcauth/ipc.sock`. */
  readonly listener: string;
  /** The listener's configuration when the session started. */
  readonly config: ListenerConfig;
  readonly service: string;
  readonly origin: PeerOrigin;
  readonly identity: Identity;
  /** The user name of the session. */
  readonly user: string;
  /** When it started, in milliseconds since the epoch. */
  readonly since: number;
}

/** Bytes relayed in a session, as plaintext: without the access check and its records. */
export interface ByteCounts {
  /** From the client. */
  readonly in: number;
  /** To the client. */
  readonly out: number;
  /** Bytes from and to the client whose receiver had not confirmed them when it was closed. */
  readonly unconfirmedIn?: number;
  readonly unconfirmedOut?: number;
}

/** The counts of a relay whose first end is the client. */
export function byteCounts(outcome: RelayOutcome): ByteCounts {
  const { bytesIn, bytesOut, unconfirmedIn, unconfirmedOut } = outcome;
  return { in: bytesIn, out: bytesOut, unconfirmedIn, unconfirmedOut };
}

/** Ends the connection of a session from outside its service. */
export interface SessionHandle {
  /**
   * Closes the connection in both directions. Leads to {@linkcode Session.end}. What has been
   * answered may still reach the client before that.
   */
  terminate(reason: TerminationReason): void;
  /** Ends at once what may outlast {@linkcode terminate}, such as a program. */
  kill?(): void;
  /** The bytes so far; null where the connection is another process's, left out for none yet. */
  bytes?(): ByteCounts | null;
}

/**
 * A session. It ends when each of its references has ended, with one reason: the first that is not
 * `end`.
 *
 * @example
 * ```ts
 * const session = sessions.open(facts);
 * session.attach(service.open(session, connection));
 * session.terminate("revoked"); // closes the connection; the service then calls session.end()
 * ```
 */
export class Session {
  readonly id: number;
  readonly facts: SessionFacts;
  /** The program that the peer ran when it connected, where known. For the log only. */
  executable: ExecutableFacts = UNKNOWN;
  /** The user that its trusted client has become; null where it is still {@linkcode facts}'. */
  actsAs: string | null = null;
  /**
   * The groups of its peer's account, as the name service said them first; null where it has not
   * yet. For a session on a Unix socket alone.
   */
  accountGroups: readonly number[] | null = null;
  /** How the session's program ended, where it had one. */
  ending: ExitStatus | null = null;
  readonly #onEnd: (session: Session) => void;
  // Monotonic: the wall clock may be set while the session is open.
  readonly #startedAt = performance.now();
  #handle: SessionHandle | null = null;
  #reason: CloseReason = "end";
  #termination: TerminationReason | null = null;
  #references = 1;
  #bytes: ByteCounts | null = null;

  /** Created by {@linkcode SessionTable.open}. */
  constructor(id: number, facts: SessionFacts, onEnd: (session: Session) => void) {
    this.id = id;
    this.facts = facts;
    this.#onEnd = onEnd;
  }

  /** The client's host. A Unix peer is on this host, which is `127.0.0.1` here. */
  get from(): string {
    const { origin } = this.facts;
    return origin.kind === "tcp" ? origin.remote.host : "127.0.0.1";
  }

  /** Whether every reference has ended. */
  get ended(): boolean {
    return this.#references === 0;
  }

  /** Whether {@linkcode terminate} was called. The session may not have ended yet. */
  get terminating(): boolean {
    return this.#termination !== null;
  }

  /** Sets the handle that ends the connection, which a session that is terminating uses at once. */
  attach(handle: SessionHandle): void {
    this.#handle = handle;
    if (this.#termination !== null) handle.terminate(this.#termination);
  }

  /** Adds a reference: the session lasts until {@linkcode end} was called once more. */
  retain(): void {
    this.#references++;
  }

  /** The bytes so far; null where they are not known in this plane. */
  get bytes(): ByteCounts | null {
    if (this.#bytes !== null) return this.#bytes;
    const handle = this.#handle;
    return handle?.bytes === undefined ? { in: 0, out: 0 } : handle.bytes();
  }

  /** Sets the number of bytes relayed. */
  recordBytes(bytes: ByteCounts): void {
    this.#bytes = { ...this.#bytes, ...bytes };
  }

  /**
   * Ends one reference to the session; called once the connection it stands for is closed.
   *
   * @param reason Becomes the session's, where no earlier one is set: a connection may break while
   * the program behind it still runs.
   */
  end(reason: CloseReason): void {
    if (this.ended) return;
    this.#settleReason(reason);
    this.#references--;
    if (this.#references === 0) this.#onEnd(this);
  }

  /**
   * Closes the connection for a reason of the server's. A second call does nothing, unless the
   * first one threw.
   */
  terminate(reason: TerminationReason): void {
    if (this.ended || this.#termination !== null) return;
    this.#termination = reason;
    this.#settleReason(reason);
    try {
      this.#handle?.terminate(reason);
    } catch (error) {
      // The connection is open still: the next check or step of a shutdown tries again.
      this.#termination = null;
      throw error;
    }
  }

  /** Ends every reference at once: the server ends, and its connections end with it. */
  endAll(reason: CloseReason): void {
    while (!this.ended) this.end(reason);
  }

  /** Ends at once what {@linkcode terminate} has left running. */
  kill(): void {
    this.#handle?.kill?.();
  }

  /** What every line about the session repeats. */
  subject(): SessionSubject {
    const { origin, listener } = this.facts;
    const user = this.actsAs ?? this.facts.user;
    if (origin.kind === "unix") {
      const { pid, uid, gid } = origin.credentials;
      const peer = { pid, uid, gid, ...this.executable };
      return {
        listener,
        session: this.id,
        peer,
        remote: undefined,
        key: undefined,
        user,
        trace: undefined,
      };
    }
    const remote = hostPortText(origin.remote);
    const { keyId: key, trace } = origin;
    return { listener, session: this.id, peer: null, remote, key, user, trace };
  }

  /** The session's start as an event. @param rule The rule that allowed it. */
  allowEvent(rule: AllowRule): AuditEvent {
    const { service, since } = this.facts;
    return { ...this.subject(), event: "allow", time: since, service, reason: rule };
  }

  /** The session's end as an event. */
  closeEvent(): AuditEvent {
    return {
      ...this.subject(),
      event: "close",
      time: Date.now(),
      reason: this.#reason,
      bytesIn: this.#bytes?.in,
      bytesOut: this.#bytes?.out,
      // Left out where everything has arrived.
      unconfirmedIn: this.#bytes?.unconfirmedIn || undefined,
      unconfirmedOut: this.#bytes?.unconfirmedOut || undefined,
      status: this.ending === null ? undefined : statusOf(this.ending),
      duration: Math.round(performance.now() - this.#startedAt),
    };
  }

  #settleReason(reason: CloseReason): void {
    if (this.#reason === "end") this.#reason = reason;
  }
}

function statusOf(ending: ExitStatus): number | string {
  return "status" in ending ? ending.status : signalName(ending.signal);
}
