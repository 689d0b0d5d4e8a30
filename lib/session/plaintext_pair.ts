/**
 * A sealed connection for those who want to read and write plain bytes: they get one end of a socket pair,
 * and the reactor seals and opens between the other end and the peer.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { unixSocketPair } from "../libc/sockets.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { Relay, type RelayOutcome, type RelayOwner } from "../net/relay.ts";
import type { RelayBuffers } from "../net/relay_buffers.ts";
import type { ClientConnection } from "./service.ts";
import type { CloseReason, Session } from "./session_table.ts";
import { IdleTimer } from "./idle_timer.ts";

/** The plain side of a connection. */
export interface PlaintextPair {
  /** Belongs to the caller. */
  readonly descriptor: Descriptor;
  /** Closes the connection to the peer at once. */
  closePeer(): void;
}

/**
 * Opens the plain side of a connection. A Unix connection is its own; the session of any other lasts until
 * the peer has everything.
 *
 * @param idleTimeout How long the session may be silent, in milliseconds, as far as we can hear it; 0 for ever.
 */
export function openPlaintextPair(
  reactor: Reactor,
  buffers: RelayBuffers,
  session: Session,
  line: ClientConnection,
  idleTimeout = 0,
): PlaintextPair {
  if (line.channel === null) return { descriptor: line.descriptor, closePeer: () => {} };
  let pair: [Descriptor, Descriptor];
  try {
    pair = unixSocketPair();
  } catch (error) {
    line.descriptor.close();
    throw error;
  }
  const [near, far] = pair;
  try {
    return new EncryptedPair(reactor, buffers, session, line, near, far, idleTimeout);
  } catch (error) {
    far.close();
    throw error;
  }
}

/** What seals and opens between the peer and the plain side. */
class EncryptedPair implements PlaintextPair, RelayOwner {
  readonly descriptor: Descriptor;
  readonly #session: Session;
  readonly #relay: Relay;
  readonly #idleTimer: IdleTimer | null;
  readonly #release: () => void;

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    session: Session,
    line: ClientConnection,
    near: Descriptor,
    far: Descriptor,
    idleTimeout: number,
  ) {
    this.descriptor = far;
    this.#session = session;
    const plain = { descriptor: near, kind: "unix" as const, seal: null };
    this.#relay = new Relay(reactor, buffers, { ...line, seal: line.channel }, plain, this);
    this.#release = session.retain();
    this.#idleTimer = IdleTimer.start(reactor, session, this.#relay, idleTimeout);
  }

  closePeer(): void {
    this.#relay.abort("error");
  }

  onRelayClosed({ bytesIn, bytesOut, reason }: RelayOutcome): void {
    this.#idleTimer?.cancel();
    this.#session.recordBytes({ in: bytesIn, out: bytesOut });
    this.#session.setCloseReason(reason as CloseReason);
    this.#release();
  }
}
