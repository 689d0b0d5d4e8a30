/**
 * One of the two connections of a relay.
 *
 * @module
 */
import type { RecordError } from "./relay_outcome.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { resetOnClose, unacknowledgedBytes } from "../libc/tcp_socket.ts";
import type { RelayBuffers } from "./relay_buffers.ts";
import type { RelayPipe } from "./relay_pipe.ts";
import type { PeerWatch, WatchedPeer } from "./peer_watch.ts";
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  type Reactor,
  type Registration,
  type Watcher,
} from "../reactor/reactor.ts";

/** The cipher of a connection: "seal" encrypts, "open" decrypts, in records. */
export interface Seal {
  /** The most data that one record holds, in bytes. */
  readonly maxBody: number;
  /** The length of data when sealed, in bytes. */
  sealedLength(length: number): number;
  sealData(data: Uint8Array, out: Uint8Array): number;
  /** Seals the end of the stream that is sent. */
  sealFin(out: Uint8Array): number;
  /** How many bytes of space {@linkcode open} needs for a chunk of a length. */
  capacityFor(length: number): number;
  open(chunk: Uint8Array, out: Uint8Array): {
    readonly length: number;
    readonly ended: boolean;
    /** Why the stream cannot continue, or null. */
    readonly error: RecordError | null;
  };
  /** Wipes the keys. */
  wipe(): void;
}

/** A connection to be relayed. */
export interface RelayConnection {
  readonly descriptor: Descriptor;
  readonly kind: "unix" | "tcp";
  readonly seal: Seal | null;
  /** Bytes that were received already, sealed where there is a cipher. */
  readonly received?: Uint8Array | null;
  /** Bytes to be sent before anything else, sealed already. */
  readonly unsent?: Uint8Array | null;
}

/** The relay, as its ends see it. */
export interface RelayEndOwner {
  onEvents(end: RelayEnd, mask: number): void;
  onPeerLost(end: RelayEnd): void;
  abort(reason: "error"): void;
}

/** One of the two connections, and the state of its two directions. */
export class RelayEnd implements Watcher, WatchedPeer {
  readonly #relay: RelayEndOwner;
  #peers: PeerWatch | null = null;
  #pipe: RelayPipe | null = null;
  readonly kind: "unix" | "tcp";
  readonly seal: Seal | null;
  #descriptor: Descriptor | null;
  #registration: Registration | null = null;
  received: Uint8Array<ArrayBuffer> | null;
  /** Bytes that wait until the connection is writable. */
  unsent: Uint8Array<ArrayBuffer> | null;
  /** Bytes of plaintext received. */
  bytes = 0;
  /** Whether there may be bytes to read. The first event is delivered at once. */
  readable = false;
  /** Whether the last read was of so many bytes that the next ones are not copied. */
  isBulk = false;
  /** Whether a write may succeed. */
  writable = true;
  /** Whether EPOLLOUT is in the event mask. */
  #watchesWritable = false;
  /** An event has reported a hang-up, a half-close or an error. */
  hungUp = false;
  /** Both directions are closed. */
  disconnected = false;
  /** An event has reported an error, such as a reset. What came before it can still be read. */
  hasError = false;
  /** Its last byte was received: end-of-file, or FIN where it is sealed. */
  ended = false;
  /** Its end-of-file was read. Where it is sealed, no byte may stand between FIN and that. */
  inputEnded = false;
  /** The length of the FIN record to it, in bytes; 0 while it is not sealed. */
  finLength = 0;
  /** The end of the other stream was passed to it. */
  finPassed = false;
  /** Nothing can be sent to it any more. */
  broken = false;
  /** How many bytes for it are lost, with their encryption. */
  dropped = 0;

  constructor(relay: RelayEndOwner, { descriptor, kind, seal, received, unsent }: RelayConnection) {
    this.#relay = relay;
    this.kind = kind;
    this.seal = seal;
    this.#descriptor = descriptor;
    // Both lie in shared buffers.
    this.received = received?.length ? received.slice() : null;
    this.unsent = unsent?.length ? unsent.slice() : null;
  }

  get descriptor(): Descriptor {
    if (this.#descriptor === null) throw new Error("a relay used a connection after closing it");
    return this.#descriptor;
  }

  /** Whether there are bytes to read, or an end to pass on. */
  get mayPump(): boolean {
    return this.readable || this.ended || this.received !== null;
  }

  watch(reactor: Reactor, peers: PeerWatch): void {
    this.#watchesWritable = this.unsent !== null;
    this.#registration = reactor.watch(this.descriptor, this.#mask, this);
    if (this.kind === "tcp") {
      this.#peers = peers;
      peers.add(reactor, this);
    }
    if (this.received !== null) this.requestTurn();
  }

  /**
   * Records that a write would block. EPOLLOUT is added here and not before: it would report each
   * chunk that the peer has read, and most connections are never full.
   */
  awaitWritable(): void {
    this.writable = false;
    if (this.#watchesWritable) return;
    this.#watchesWritable = true;
    this.#registration?.update(this.#mask);
  }

  get #mask(): number {
    return EPOLLIN | EPOLLRDHUP | EPOLLET | (this.#watchesWritable ? EPOLLOUT : 0);
  }

  recordEvents(mask: number): void {
    if ((mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.readable = true;
    // A hang-up never becomes writable: the next write reports the error.
    if ((mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0) this.writable = true;
    if ((mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.hungUp = true;
    if ((mask & (EPOLLHUP | EPOLLERR)) !== 0) this.disconnected = true;
    if ((mask & EPOLLERR) !== 0) this.hasError = true;
  }

  /** Marks a closed connection as broken, without a failed write. */
  noticeHangUp(): void {
    if (this.disconnected && this.ended && !this.finPassed) this.break();
  }

  /** Whether it is a Unix socket, and its bytes are not encrypted. */
  get isPlain(): boolean {
    return this.kind === "unix" && this.seal === null;
  }

  /** The next bytes are not copied: they pass through a pipe, which is in use until the close. */
  beginBulk(pipe: RelayPipe): void {
    this.isBulk = true;
    if (this.#pipe !== null) return;
    this.#pipe = pipe;
    pipe.enter();
  }

  /**
   * Counts bytes that it has sent, and decrypts them where it has a cipher.
   *
   * @param buffers The plaintext lies in them, or in the chunk itself.
   * @returns The plaintext, and why there can be no more of it, or null.
   */
  take(chunk: Uint8Array<ArrayBuffer>, buffers: RelayBuffers): {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly error: RecordError | null;
  } {
    if (this.seal === null) {
      this.bytes += chunk.length;
      return { data: chunk, error: null };
    }
    const out = buffers.spaceToOpen(this.seal.capacityFor(chunk.length));
    const { length, ended, error } = this.seal.open(chunk, out);
    this.bytes += length;
    if (ended) this.ended = true;
    return { data: out.subarray(0, length), error };
  }

  /** Counts bytes for it as lost. @param length How many, without encryption. */
  drop(length: number): void {
    this.dropped += this.seal?.sealedLength(length) ?? length;
  }

  /** Nothing can be sent to it any more. What is kept for it is lost. */
  break(): void {
    this.broken = true;
    this.dropped += this.unsent?.length ?? 0;
    this.unsent = null;
  }

  /**
   * How many bytes of what was sent to it, or is kept for it, are not confirmed. The bytes that a
   * Unix socket has taken are the peer's.
   */
  get unconfirmed(): number {
    const kept = this.dropped + (this.unsent?.length ?? 0);
    if (this.kind === "unix" || this.#descriptor === null) return kept;
    // The end of the stream is no part of it. The kernel counts it as one byte.
    const end = this.finLength + (this.finPassed ? 1 : 0);
    return Math.max(0, kept + unacknowledgedBytes(this.#descriptor) - end);
  }

  requestTurn(): void {
    this.#registration?.requestTurn();
  }

  close(abruptly: boolean): void {
    this.#peers?.delete(this);
    this.#pipe?.leave();
    this.#pipe = null;
    this.seal?.wipe();
    try {
      if (this.#descriptor !== null && this.#mayReset(this.#descriptor, abruptly)) {
        resetOnClose(this.#descriptor);
      }
    } finally {
      this.#registration?.close();
      this.#descriptor?.close();
      this.#registration = null;
      this.#descriptor = null;
      this.received = null;
      this.unsent = null;
    }
  }

  /**
   * Whether the close is a reset. In an encrypted stream the missing FIN record reports an abrupt
   * end, and sent bytes still arrive. After FIN, and once all of it is acknowledged, a reset tells
   * a peer that holds its side open that nothing reads it any more: a close alone would not (RFC
   * 9293, section 3.6), and a person at `connect --pipe` would wait for it.
   */
  #mayReset(descriptor: Descriptor, abruptly: boolean): boolean {
    if (this.kind !== "tcp") return false;
    if (this.seal === null) return abruptly;
    return !abruptly && this.finPassed && !this.inputEnded && unacknowledgedBytes(descriptor) === 0;
  }

  onEvents(mask: number): void {
    this.#relay.onEvents(this, mask);
  }

  onFault(): void {
    this.#relay.abort("error");
  }

  onPeerLost(): void {
    this.#relay.onPeerLost(this);
  }
}
