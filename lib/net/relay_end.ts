/**
 * One of the two connections of a relay.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { resetOnClose } from "../libc/tcp_socket.ts";
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

/** What the bytes of a connection pass through: a cipher. */
export interface Seal {
  /** The most data that one record holds, in bytes. */
  readonly maxBody: number;
  /** How long some data is when sealed. */
  sealedLength(length: number): number;
  sealData(data: Uint8Array, out: Uint8Array): number;
  /** Seals the end of what is sent. */
  sealFin(out: Uint8Array): number;
  /** How many bytes of space {@linkcode open} needs for a chunk of so many bytes. */
  capacityFor(length: number): number;
  open(chunk: Uint8Array, out: Uint8Array): {
    readonly length: number;
    readonly ended: boolean;
    /** Why the connection has failed, or null. */
    readonly error: string | null;
  };
  /** Wipes the keys. */
  wipe(): void;
}

/** A connection to be joined. */
export interface RelayConnection {
  readonly descriptor: Descriptor;
  readonly kind: "unix" | "tcp";
  readonly seal: Seal | null;
  /** Bytes that were received before it came here, still sealed where there is a seal. */
  readonly received?: Uint8Array | null;
  /** Bytes that go out before anything else, sealed already. */
  readonly unsent?: Uint8Array | null;
}

/** The relay, as its ends see it. */
export interface RelayEndOwner {
  onEvents(end: RelayEnd, mask: number): void;
  abort(reason: string): void;
}

/** One of the two connections. */
export class RelayEnd implements Watcher {
  readonly #relay: RelayEndOwner;
  readonly kind: "unix" | "tcp";
  readonly seal: Seal | null;
  #descriptor: Descriptor | null;
  #registration: Registration | null = null;
  received: Uint8Array<ArrayBuffer> | null;
  /** What is to be sent here as soon as there is room. */
  unsent: Uint8Array<ArrayBuffer> | null;
  /** Plaintext received. */
  bytes = 0;
  /** Whether there may be something to be read; the kernel says so as soon as it watches. */
  readable = false;
  /** Whether there may be room to send. */
  writable = true;
  /** Whether the kernel has been asked to tell when there is room. */
  #tellsRoom = false;
  /** The kernel has said that an end or an error is near. */
  hungUp = false;
  /** Neither direction of the connection works any more. */
  disconnected = false;
  /** It has sent its last byte, and we have it. */
  ended = false;
  /** Our own last byte was sealed. */
  finSealed = false;
  /** It has our last byte. */
  finPassed = false;
  /** Nothing can be sent to it any more. */
  broken = false;

  constructor(relay: RelayEndOwner, { descriptor, kind, seal, received, unsent }: RelayConnection) {
    this.#relay = relay;
    this.kind = kind;
    this.seal = seal;
    this.#descriptor = descriptor;
    // Both come from somebody's buffer, which is used again.
    this.received = received?.length ? received.slice() : null;
    this.unsent = unsent?.length ? unsent.slice() : null;
  }

  get descriptor(): Descriptor {
    if (this.#descriptor === null) throw new Error("a relay used a connection after closing it");
    return this.#descriptor;
  }

  /** Whether there is anything to be read, or an end to be passed on. */
  get mayPump(): boolean {
    return this.readable || this.ended || this.received !== null;
  }

  watch(reactor: Reactor): void {
    this.#tellsRoom = this.unsent !== null;
    this.#registration = reactor.watch(this.descriptor, this.#mask, this);
    if (this.received !== null) this.requestTurn();
  }

  /**
   * It takes nothing now. The kernel is asked about room here and not before: it would tell of each chunk that a
   * peer has read, and most connections are never full.
   */
  awaitRoom(): void {
    this.writable = false;
    if (this.#tellsRoom) return;
    this.#tellsRoom = true;
    this.#registration?.update(this.#mask);
  }

  get #mask(): number {
    return EPOLLIN | EPOLLRDHUP | EPOLLET | (this.#tellsRoom ? EPOLLOUT : 0);
  }

  recordEvents(mask: number): void {
    if ((mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.readable = true;
    // Where nobody is any more there is no room to wait for: trying to send finds it out.
    if ((mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0) this.writable = true;
    if ((mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.hungUp = true;
    if ((mask & (EPOLLHUP | EPOLLERR)) !== 0) this.disconnected = true;
  }

  /** A connection that is gone takes nothing, even if nobody has tried. */
  noticeHangUp(): void {
    if (!this.disconnected || !this.ended || this.finPassed) return;
    this.broken = true;
    this.unsent = null;
  }

  requestTurn(): void {
    this.#registration?.requestTurn();
  }

  close(abruptly: boolean): void {
    this.seal?.wipe();
    // Behind a seal the missing FIN says it, and what was sent still arrives.
    if (abruptly && this.kind === "tcp" && this.seal === null && this.#descriptor !== null) {
      resetOnClose(this.#descriptor);
    }
    this.#registration?.close();
    this.#descriptor?.close();
    this.#registration = null;
    this.#descriptor = null;
    this.received = null;
    this.unsent = null;
  }

  onEvents(mask: number): void {
    this.#relay.onEvents(this, mask);
  }

  onFault(): void {
    this.#relay.abort("error");
  }
}
