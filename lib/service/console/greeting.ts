/**
 * The console's half in the data plane: it greets, and waits for the peer to say something.
 *
 * Most of what a console session does is wait. Until the first byte arrives it costs a place in the
 * reactor and nothing in the control plane; a peer that only looks never gets any further.
 *
 * @module
 */
import { BROKEN, peek, send } from "../../libc/sockets.ts";
import {
  EPOLLIN,
  EPOLLOUT,
  type Reactor,
  type Registration,
  type Watcher,
} from "../../reactor/reactor.ts";
import type { RelayBuffers } from "../../net/relay_buffers.ts";
import type { Timer } from "../../reactor/timers.ts";
import { openPlaintextPair, type PlaintextPair } from "../../session/plaintext_pair.ts";
import type { ClientConnection, Service, SessionHandle } from "../../session/service.ts";
import type { Session } from "../../session/session_table.ts";
import type { Welcome } from "./protocol.ts";

/** A console session on its way to the control plane. */
export interface ConsoleHandover {
  readonly session: number;
  readonly trusted: boolean;
  /** The configured user the session runs as, or null. */
  readonly actsAs: string | null;
  readonly welcome: Welcome;
  /** The bytes of the greeting that have been sent. */
  readonly greeted: number;
  /** How long it may be silent, in milliseconds; 0 for ever. */
  readonly idleTimeout: number;
  /** The bytes that the socket would not take yet; they come before anything else. */
  readonly unsent: Uint8Array | null;
}

/** The control plane, as the greeter sees it. */
export interface ConsoleHost {
  /** Takes over a connection: the number, and the duty to close it. */
  adopt(descriptor: number, handOver: ConsoleHandover): void;
  /** Asks for the end of a session that was taken over. */
  evict(session: number): void;
  /** How long a session may be silent, in milliseconds; 0 for ever. */
  idleTimeout(): number;
}

/** What every greeting says. */
export interface GreetingOptions {
  readonly version: string;
  readonly host: string;
}

/** The service `console`. */
export class ConsoleGreeter implements Service {
  readonly name = "console";
  readonly #reactor: Reactor;
  readonly #host: ConsoleHost;
  readonly #facts: GreetingOptions;
  readonly #buffers: RelayBuffers;
  readonly #buffer = new Uint8Array(4096);
  readonly #encoder = new TextEncoder();

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    host: ConsoleHost,
    facts: GreetingOptions,
  ) {
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#host = host;
    this.#facts = facts;
  }

  open(session: Session, line: ClientConnection): SessionHandle {
    const { identity, user } = session.facts;
    const welcome: Welcome = {
      server: "ipcauth",
      version: this.#facts.version,
      user,
      admin: identity.trusted || (identity.user !== null && identity.user.admin),
      trusted: identity.trusted,
      from: session.from,
      host: this.#facts.host,
      session: session.id,
    };
    const text = `{"jsonrpc":"2.0","method":"welcome","params":${JSON.stringify(welcome)}}\n`;
    const { written } = this.#encoder.encodeInto(text, this.#buffer);
    const side = openPlaintextPair(this.#reactor, this.#buffers, session, line);
    const sent = Math.max(0, send(side.descriptor, this.#buffer, written));
    // What the socket does not take at once is an oddity; the control plane has the patience for it.
    const unsent = sent < written ? this.#buffer.slice(sent, written) : null;
    return new GreetedConsole(this.#reactor, this.#host, session, side, {
      session: session.id,
      trusted: identity.trusted,
      actsAs: identity.trusted || identity.user === null ? null : identity.user.name,
      welcome,
      greeted: sent,
      idleTimeout: this.#host.idleTimeout(),
      unsent,
    });
  }
}

/** A console session that has been greeted. */
class GreetedConsole implements Watcher, SessionHandle {
  readonly #host: ConsoleHost;
  readonly #session: Session;
  readonly #handOver: ConsoleHandover;
  #registration: Registration | null;
  readonly #cut: () => void;
  readonly #idleTimer: Timer | null;

  constructor(
    reactor: Reactor,
    host: ConsoleHost,
    session: Session,
    { descriptor, closePeer }: PlaintextPair,
    handOver: ConsoleHandover,
  ) {
    this.#host = host;
    this.#session = session;
    this.#handOver = handOver;
    this.#cut = closePeer;
    const mask = handOver.unsent === null ? EPOLLIN : EPOLLIN | EPOLLOUT;
    this.#registration = reactor.watch(descriptor, mask, this);
    const { idleTimeout } = handOver;
    this.#idleTimer = idleTimeout > 0
      ? reactor.after(idleTimeout, () => session.terminate("idle"))
      : null;
  }

  onEvents(): void {
    const registration = this.#registration;
    if (registration === null) return;
    const found = peek(registration.descriptor);
    if (found === 0 || found === BROKEN) {
      this.#close(found === BROKEN ? "error" : "end");
    } else if (found > 0 || this.#handOver.unsent !== null) {
      // The peer has spoken, or will not take the greeting: the control plane goes on.
      this.#registration = null;
      this.#idleTimer?.cancel();
      this.#host.adopt(registration.release(), this.#handOver);
    }
  }

  onFault(): void {
    this.#close("error");
  }

  terminate(): void {
    // Without a registration the connection is the control plane's to close.
    if (this.#registration === null) this.#host.evict(this.#session.id);
    else this.#close("end");
    // What the control plane has still to say is not for this peer any more.
    this.#cut();
  }

  #close(reason: "end" | "error"): void {
    this.#registration?.close();
    this.#registration = null;
    this.#idleTimer?.cancel();
    this.#session.recordBytes({ in: 0, out: this.#handOver.greeted });
    this.#session.end(reason);
  }
}
