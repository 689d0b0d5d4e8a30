/**
 * The console's part in the data plane: it sends the greeting and waits for the first request.
 *
 * Most console sessions are idle. Until the first byte arrives, a session costs one entry in the
 * reactor and nothing in the control plane.
 *
 * @module
 */
import { Descriptor } from "../../libc/descriptor.ts";
import { BROKEN, peek, send } from "../../libc/sockets.ts";
import type { CloseReason } from "../../log/session_event.ts";
import type { TerminationReason } from "../../net/relay_outcome.ts";
import {
  EPOLLIN,
  EPOLLOUT,
  type Reactor,
  type Registration,
  type Watcher,
} from "../../reactor/reactor.ts";
import type { ActingUser } from "../../policy/same_identity.ts";
import type { RelayContext } from "../../session/data_plane_context.ts";
import { IdleTimer } from "../../session/idle_timer.ts";
import { openPlaintextPair, type PlaintextPair } from "../../session/plaintext_pair.ts";
import type { ClientConnection, Service } from "../../session/service.ts";
import type { Session, SessionHandle } from "../../session/session.ts";
import type { Welcome } from "./protocol.ts";

/** How long a client has to take the answers of a session that is terminated, in milliseconds. */
const ANSWER_TIMEOUT_MS = 250;

/** A console session on its way to the control plane. */
export interface ConsoleHandover {
  readonly session: number;
  readonly trusted: boolean;
  /** The configured user of the session, or null. */
  readonly actsAs: ActingUser | null;
  readonly welcome: Welcome;
  /** How many bytes of the greeting have been sent. */
  readonly greeted: number;
  /** How long the session may be idle, in milliseconds; 0 for no limit. */
  readonly idleTimeout: number;
  /** The rest of the greeting, to be sent before anything else; null where all of it was sent. */
  readonly unsent: Uint8Array | null;
}

/** The control plane, as the greeter sees it. */
export interface ConsoleHost {
  /** Takes over a connection. @param descriptor Owned by the control plane. */
  adopt(descriptor: number, handover: ConsoleHandover): void;
  /** Closes the connection of a session that was taken over. */
  terminate(session: number): void;
  /** How long a session may be idle, in milliseconds; 0 for no limit. */
  idleTimeout(): number;
}

/** What every greeting contains. */
export interface GreetingOptions {
  readonly version: string;
  readonly host: string;
}

/** The service `console`. */
export class ConsoleGreeter implements Service {
  readonly name = "console";
  readonly #context: RelayContext;
  readonly #host: ConsoleHost;
  readonly #options: GreetingOptions;
  readonly #buffer = new Uint8Array(4096);
  readonly #encoder = new TextEncoder();

  constructor(context: RelayContext, host: ConsoleHost, options: GreetingOptions) {
    this.#context = context;
    this.#host = host;
    this.#options = options;
  }

  open(session: Session, connection: ClientConnection): SessionHandle {
    const { identity, user } = session.facts;
    const welcome: Welcome = {
      server: "ipcauth",
      version: this.#options.version,
      user,
      admin: identity.trusted || (identity.user !== null && identity.user.admin),
      trusted: identity.trusted,
      from: session.from,
      host: this.#options.host,
      session: session.id,
    };
    const text = `{"jsonrpc":"2.0","method":"welcome","params":${JSON.stringify(welcome)}}\n`;
    const { written } = this.#encoder.encodeInto(text, this.#buffer);
    const pair = openPlaintextPair(this.#context, session, connection);
    const sent = Math.max(0, send(pair.descriptor, this.#buffer, written));
    // A new socket normally takes all of it; the control plane sends the rest.
    const unsent = sent < written ? this.#buffer.slice(sent, written) : null;
    return new GreetedConsole(this.#context.reactor, this.#host, session, pair, {
      session: session.id,
      trusted: identity.trusted,
      actsAs: identity.trusted || identity.user === null
        ? null
        : { name: identity.user.name, uid: identity.user.uid },
      welcome,
      greeted: sent,
      idleTimeout: this.#host.idleTimeout(),
      unsent,
    });
  }
}

/** A console session that was greeted and has sent nothing yet. */
class GreetedConsole implements Watcher, SessionHandle {
  readonly #host: ConsoleHost;
  readonly #session: Session;
  readonly #pair: PlaintextPair;
  readonly #handover: ConsoleHandover;
  /** Null once the connection is closed, or owned by the control plane. */
  #registration: Registration | null;
  #adopted = false;
  readonly #idleTimer: IdleTimer | null;

  constructor(
    reactor: Reactor,
    host: ConsoleHost,
    session: Session,
    pair: PlaintextPair,
    handover: ConsoleHandover,
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
