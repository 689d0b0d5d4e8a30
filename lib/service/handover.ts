/**
 * The part in the data plane of services that the control plane answers.
 *
 * Most of their sessions are idle. Until the first byte arrives, a session costs one entry in the
 * reactor and nothing in the control plane.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import { BROKEN, peek } from "../libc/sockets.ts";
import type { CloseReason } from "../log/session_event.ts";
import type { TerminationReason } from "../net/relay_outcome.ts";
import {
  EPOLLIN,
  EPOLLOUT,
  type Reactor,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";
import { IdleTimer } from "../session/idle_timer.ts";
import type { PlaintextPair } from "../session/plaintext_pair.ts";
import type { ByteCounts, Session, SessionHandle } from "../session/session.ts";

/** How long a client has to take the answers of a session that is terminated, in milliseconds. */
const ANSWER_TIMEOUT_MS = 250;

/** A session on its way to the control plane. */
export interface Handover {
  /** The service. */
  readonly kind: string;
  readonly session: number;
  /** How many bytes have been sent to the client. */
  readonly greeted: number;
  /** How long the session may be idle, in milliseconds; 0 for no limit. */
  readonly idleTimeout: number;
  /** What is to be sent before anything else; null where there is nothing. */
  readonly unsent: Uint8Array | null;
}

/** The control plane, as a service sees it. */
export interface HandoverHost<Kind extends Handover> {
  /** Takes over a connection. @param descriptor Owned by the control plane. */
  adopt(descriptor: number, handover: Kind): void;
  /** Closes the connection of a session that was taken over. */
  terminate(session: number): void;
  /** How long a session may be idle, in milliseconds; 0 for no limit. */
  idleTimeout(): number;
}

/** A session whose client has sent no request yet. */
export class UnansweredSession<Kind extends Handover> implements Watcher, SessionHandle {
  readonly #host: HandoverHost<Kind>;
  readonly #session: Session;
  readonly #pair: PlaintextPair;
  readonly #handover: Kind;
  /** Null once the connection is closed, or owned by the control plane. */
  #registration: Registration | null;
  #adopted = false;
  readonly #idleTimer: IdleTimer | null;

  constructor(
    reactor: Reactor,
    host: HandoverHost<Kind>,
    session: Session,
    pair: PlaintextPair,
    handover: Kind,
  ) {
    this.#host = host;
    this.#session = session;
    this.#pair = pair;
    this.#handover = handover;
    const mask = handover.unsent === null ? EPOLLIN : EPOLLIN | EPOLLOUT;
    this.#registration = reactor.watch(pair.descriptor, mask, this);
    const activity = { lastActivity: reactor.now() };
    this.#idleTimer = IdleTimer.start(reactor, session, activity, handover.idleTimeout);
  }

  onEvents(): void {
    const registration = this.#registration;
    if (registration === null) return;
    const available = peek(registration.descriptor);
    if (available === 0 || available === BROKEN) {
      this.#close(available === BROKEN ? "error" : "end");
    } else if (available > 0 || this.#handover.unsent !== null) {
      // A request has arrived, or the greeting is not sent: the control plane continues.
      const connection = new Descriptor(registration.release());
      try {
        this.#host.adopt(connection.number, this.#handover);
      } catch (error) {
        connection.close();
        throw error;
      }
      connection.release();
      this.#registration = null;
      this.#adopted = true;
      this.#idleTimer?.cancel();
    }
  }

  onFault(): void {
    this.#close("error");
  }

  terminate(reason: TerminationReason): void {
    if (this.#adopted) this.#host.terminate(this.#session.id);
    else this.#close(reason);
    // The answer to the request that closes its own session is still on its way.
    this.#pair.closeClient(reason, ANSWER_TIMEOUT_MS);
  }

  /** Once it is handed over, the control plane counts them. */
  bytes(): ByteCounts | null {
    return this.#adopted ? null : { in: 0, out: this.#handover.greeted };
  }

  #close(reason: CloseReason): void {
    // Closed already; an encrypted connection may outlast its plaintext side.
    if (this.#registration === null) return;
    this.#registration.close();
    this.#registration = null;
    this.#idleTimer?.cancel();
    this.#session.recordBytes({ in: 0, out: this.#handover.greeted });
    this.#session.end(reason);
  }
}
