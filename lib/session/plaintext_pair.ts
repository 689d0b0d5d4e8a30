/**
 * Plaintext for a service that cannot decrypt: of an encrypted connection it gets one end of a
 * socket pair, and the reactor encrypts and decrypts between the other end and the client.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { unixSocketPair } from "../libc/sockets.ts";
import { Relay } from "../net/relay.ts";
import type { RelayOutcome, RelayOwner, TerminationReason } from "../net/relay_outcome.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { RelayContext } from "./data_plane_context.ts";
import { IdleTimer } from "./idle_timer.ts";
import type { ClientConnection } from "./service.ts";
import { type ByteCounts, byteCounts, type Session } from "./session.ts";

/** The plaintext side of a client's connection. */
export interface PlaintextPair {
  /** Owned by the caller. */
  readonly descriptor: Descriptor;
  /**
   * Called where the client's stream ends without its proper end, and the server has not ended it:
   * before the plaintext side reads an end-of-file that looks like one.
   */
  onCut: (() => void) | null;
  /**
   * Closes the connection to the client. On a Unix socket there is none beside the descriptor.
   *
   * @param delayMs How long the client may still take what was sent to it, in milliseconds; at once
   * where it is left out.
   */
  closeClient(reason: TerminationReason, delayMs?: number): void;
  /** The bytes so far. On a Unix socket the owner of the descriptor alone knows them: null. */
  bytes(): ByteCounts | null;
}

/**
 * Opens the plaintext side of a connection. That of a Unix connection is the connection itself. A
 * session of an encrypted connection lasts until the client has received everything.
 *
 * @param connection Owned by the pair, also when this throws.
 * @param idleTimeoutMs How long the encrypted connection may be idle, in milliseconds; 0 for no
 * limit.
 * @throws {SystemError} When no socket pair can be made.
 */
export function openPlaintextPair(
  context: RelayContext,
  session: Session,
  connection: ClientConnection,
  idleTimeoutMs = 0,
): PlaintextPair {
  if (connection.seal === null) {
    return {
      descriptor: connection.descriptor,
      onCut: null,
      closeClient: () => {},
      bytes: () => null,
    };
  }
  let pair: [Descriptor, Descriptor];
  try {
    pair = unixSocketPair();
  } catch (error) {
    connection.descriptor.close();
    throw error;
  }
  const [near, far] = pair;
  try {
    return new EncryptedPair(context, session, connection, near, far, idleTimeoutMs);
  } catch (error) {
    far.close();
    throw error;
  }
}

/** Encrypts and decrypts between the client and the plaintext side. */
class EncryptedPair implements PlaintextPair, RelayOwner {
  readonly descriptor: Descriptor;
  onCut: (() => void) | null = null;
  readonly #reactor: Reactor;
  readonly #session: Session;
  readonly #relay: Relay;
  readonly #idleTimer: IdleTimer | null;

  constructor(
    { reactor, buffers }: RelayContext,
    session: Session,
    connection: ClientConnection,
    near: Descriptor,
    far: Descriptor,
    idleTimeoutMs: number,
  ) {
    this.descriptor = far;
    this.#reactor = reactor;
    this.#session = session;
    const plaintext = { descriptor: near, kind: "unix" as const, seal: null };
    this.#relay = new Relay(reactor, buffers, connection, plaintext, this);
    session.retain();
    this.#idleTimer = IdleTimer.start(reactor, session, this.#relay, idleTimeoutMs);
  }

  closeClient(reason: TerminationReason, delayMs = 0): void {
    if (delayMs === 0) this.#relay.abort(reason);
    else this.#reactor.after(delayMs, () => this.#relay.abort(reason));
  }

  bytes(): ByteCounts {
    const { first, second } = this.#relay.bytes;
    return { in: first, out: second };
  }

  onRelayCut(): void {
    if (!this.#session.terminating) this.onCut?.();
  }

  onRelayClosed(outcome: RelayOutcome): void {
    this.#idleTimer?.cancel();
    this.#session.recordBytes(byteCounts(outcome));
    this.#session.end(outcome.reason);
  }
}
