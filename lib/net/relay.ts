/**
 * Relays bytes between two connections, in both directions, until both have ended.
 *
 * Half-close passes through. Bytes that one connection does not take are kept, and nothing more is
 * read from the other until they are sent, so a relay holds at most one buffer per direction. No
 * byte that was read is lost, in whatever order the ends are closed.
 *
 * Events are edge-triggered: each connection is added to the epoll set once.
 *
 * @module
 */
import {
  BROKEN,
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  WOULD_BLOCK,
} from "../libc/sockets.ts";
import { unacknowledgedBytes } from "../libc/tcp_socket.ts";
import { CHUNK, type RelayBuffers } from "./relay_buffers.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT, type Reactor } from "../reactor/reactor.ts";
import { type RelayConnection, RelayEnd, type RelayEndOwner } from "./relay_end.ts";
import type {
  RelayCloseReason,
  RelayOutcome,
  RelayOwner,
  TerminationReason,
} from "./relay_outcome.ts";
import type { Timer } from "../reactor/timers.ts";

/** How many chunks one direction moves per turn of the reactor. */
const CHUNKS_PER_TURN = 4;
/** Space for an encrypted FIN record, in bytes. */
const FIN_BYTES = 256;
/** How long input is discarded after everything was sent, in milliseconds. */
const LINGER_MS = 2_000;
/**
 * How often unacknowledged bytes are counted, in milliseconds: no event reports their
 * acknowledgement.
 */
const ACK_POLL_INTERVAL_MS = 20;

/**
 * Two joined connections, owned by the relay.
 *
 * @example
 * ```ts
 * const relay = new Relay(reactor, buffers, client, backend, {
 *   onRelayClosed: ({ bytesIn, bytesOut, reason }) => log(reason, bytesIn, bytesOut),
 * });
 * ```
 */
export class Relay implements RelayEndOwner {
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #owner: RelayOwner;
  readonly #first: RelayEnd;
  readonly #second: RelayEnd;
  /** Ends the relay once `to` has received what was read for it; null while nothing has failed. */
  #failure: {
    readonly reason: RelayCloseReason;
    readonly to: RelayEnd;
    readonly brokenEnd: RelayOutcome["brokenEnd"];
  } | null = null;
  #deadline: Timer | null = null;
  #closed = false;

  /**
   * Joins two connections.
   *
   * @throws {SystemError} When the kernel cannot watch them; both are closed then.
   */
  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    first: RelayConnection,
    second: RelayConnection,
    owner: RelayOwner,
  ) {
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#owner = owner;
    this.#first = new RelayEnd(this, first);
    this.#second = new RelayEnd(this, second);
    try {
      this.#first.watch(reactor);
    } catch (error) {
      second.descriptor.close();
      throw error;
    }
    try {
      this.#second.watch(reactor);
    } catch (error) {
      this.#first.close(false);
      throw error;
    }
  }

  /** When a byte last passed in either direction, in milliseconds on the reactor's clock. */
  lastActivity = performance.now();

  /** Closes both connections at once. */
  abort(reason: TerminationReason | "error"): void {
    this.#close(reason, true);
  }

  /** Handles events of an end, or a turn that it requested. */
  onEvents(end: RelayEnd, mask: number): void {
    const other = end === this.#first ? this.#second : this.#first;
    end.recordEvents(mask);
    if (this.#isFinished && this.#failure === null) {
      this.#linger();
      return;
    }
    this.#pump(end, other);
    if (this.#closed || (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) === 0) return;
    if (end.unsent !== null || other.mayPump) this.#pump(other, end);
  }

  /** Moves bytes until there are none, the other end takes no more, or the turn is used up. */
  #pump(from: RelayEnd, to: RelayEnd): void {
    for (let round = 0; round < CHUNKS_PER_TURN; round++) {
      if (to.unsent !== null && !this.#flush(to)) break;
      if (this.#failure !== null) {
        this.#breakOff();
        return;
      }
      if (from.ended) {
        this.#passEnd(from, to);
        return;
      }
      if (!this.#move(from, to)) break;
      if (this.#closed) return;
    }
    if (this.#closed) return;
    if (from.mayPump && to.unsent === null) from.requestTurn();
    this.#settle();
  }

  /** Reads once and passes the bytes on. @returns Whether there may be more. */
  #move(from: RelayEnd, to: RelayEnd): boolean {
    const early = from.received;
    if (early !== null) {
      from.received = null;
      this.#pass(from, to, early);
      return true;
    }
    if (!from.readable) return false;
    const { read } = this.#buffers;
    // A multiple of the record size: the rest of a chunk would need a record of its own.
    const whole = to.seal === null ? read : read.subarray(0, CHUNK - CHUNK % to.seal.maxBody);
    let count = receive(from.descriptor, whole);
    if (count === WOULD_BLOCK) {
      from.readable = false;
      return false;
    }
    if (count === BROKEN) {
      this.#cut(from, to);
      return false;
    }
    if (count === 0) {
      if (from.seal !== null && !to.broken) this.#fail("truncated", to);
      else from.ended = true;
      return true;
    }
    // A short read does not mean that there are no more bytes: the kernel ends a read at attached
    // descriptors or urgent data (unix(7), tcp(7)). After a hang-up event a second read finds the
    // end of the stream at once, so that it is sent with the last bytes.
    let more = WOULD_BLOCK;
    if (from.hungUp && from.seal === null && count < whole.length) {
      more = receive(from.descriptor, whole.subarray(count));
      from.ended = more === 0;
      count += Math.max(0, more);
    }
    this.#pass(from, to, read.subarray(0, count));
    // The kernel reports a broken connection once, and end-of-file afterwards.
    if (more === BROKEN) this.#cut(from, to);
    return true;
  }

  #pass(from: RelayEnd, to: RelayEnd, chunk: Uint8Array<ArrayBuffer>): void {
    this.lastActivity = this.#reactor.now();
    // No connection to write to; reading on lets the peer reach its own end.
    if (to.broken) return;
    if (from.seal === null) {
      from.bytes += chunk.length;
      this.#write(to, chunk, from.ended);
      return;
    }
    const out = this.#buffers.spaceToOpen(from.seal.capacityFor(chunk.length));
    const { length, ended, error } = from.seal.open(chunk, out);
    from.bytes += length;
    if (ended) from.ended = true;
    if (length > 0) this.#write(to, out.subarray(0, length), ended);
    if (error !== null) this.#fail(error, to);
  }

  /** @param last Whether the end of the stream follows. */
  #write(to: RelayEnd, data: Uint8Array<ArrayBuffer>, last: boolean): void {
    if (to.seal === null) {
      this.#send(to, data, data.length);
      return;
    }
    const out = this.#buffers.spaceToSeal(to.seal.sealedLength(data.length) + FIN_BYTES);
    let length = to.seal.sealData(data, out);
    if (last) {
      to.finSealed = true;
      length += to.seal.sealFin(out.subarray(length));
    }
    this.#send(to, out, length, last);
  }

  #send(to: RelayEnd, bytes: Uint8Array<ArrayBuffer>, count: number, endFollows = false): void {
    const taken = to.writable ? send(to.descriptor, bytes, count, endFollows) : WOULD_BLOCK;
    if (taken === BROKEN) this.#break(to);
    else if (taken < count) {
      to.unsent = bytes.slice(Math.max(0, taken), count);
      to.awaitWritable();
    }
  }

  /** Sends the kept bytes. @returns Whether all of them were sent. */
  #flush(to: RelayEnd): boolean {
    if (!to.writable || to.unsent === null) return false;
    const rest = to.unsent;
    to.unsent = null;
    this.lastActivity = this.#reactor.now();
    this.#send(to, rest, rest.length);
    return to.unsent === null;
  }

  /** Passes the end of a stream on, after its last byte. */
  #passEnd(from: RelayEnd, to: RelayEnd): void {
    if (to.seal !== null && !to.finSealed && !to.broken) {
      to.finSealed = true;
      const out = this.#buffers.spaceToSeal(FIN_BYTES);
      this.#send(to, out, to.seal.sealFin(out), true);
      if (to.unsent !== null) return;
    }
    from.noticeHangUp();
    if (!to.finPassed && !to.broken) {
      to.finPassed = true;
      // Where the other direction has ended too, the close that follows ends a Unix stream as well.
      if (to.kind !== "unix" || !(from.finPassed || from.broken)) shutdownWrite(to.descriptor);
    }
    this.#settle();
  }

  /** Nothing can be sent to an end any more. What it still sends is relayed. */
  #break(end: RelayEnd): void {
    end.broken = true;
    end.unsent = null;
    const other = end === this.#first ? this.#second : this.#first;
    // A Unix peer then gets EPIPE, as it would from the backend itself.
    if (other.kind === "unix") shutdownRead(other.descriptor);
  }

  /** An end's connection broke: its stream may be incomplete. */
  #cut(from: RelayEnd, to: RelayEnd): void {
    from.broken = true;
    from.unsent = null;
    this.#fail("error", to, from === this.#first ? "first" : "second");
  }

  /** Ends the relay after what was read has been passed on. */
  #fail(reason: RelayCloseReason, to: RelayEnd, brokenEnd: RelayOutcome["brokenEnd"] = null): void {
    this.#failure ??= { reason, to, brokenEnd };
    this.#breakOff();
  }

  /**
   * Closes both connections because of a failure, once the other end has received everything. A
   * slow reader is not hurried.
   */
  #breakOff(): void {
    if (this.#failure === null || this.#closed) return;
    const { reason, to } = this.#failure;
    if (to.unsent !== null) return;
    if (to.broken || to.kind === "unix") this.#close(reason, true);
    else if (to.seal === null) {
      // The reset that reports the failure would discard bytes that are still on their way.
      const poll = () => this.#pollAcknowledged();
      if (unacknowledgedBytes(to.descriptor) === 0) this.#close(reason, true);
      else this.#deadline ??= this.#reactor.after(ACK_POLL_INTERVAL_MS, poll);
    } else {
      // In an encrypted stream the missing FIN record reports it, and a reset must not happen.
      if (!to.finPassed) shutdownWrite(to.descriptor);
      to.finPassed = true;
      if (this.#drainInput(to)) this.#close(reason, true);
      else this.#deadline ??= this.#reactor.after(LINGER_MS, () => this.#close(reason, true));
    }
  }

  #pollAcknowledged(): void {
    this.#deadline = null;
    this.#breakOff();
  }

  /** Whether nothing will be passed on any more. */
  get #isFinished(): boolean {
    const one = this.#first;
    const other = this.#second;
    return (one.finPassed || one.broken) && (other.finPassed || other.broken);
  }

  /** Closes when there is nothing left to relay. */
  #settle(): void {
    this.#first.noticeHangUp();
    this.#second.noticeHangUp();
    if (this.#isFinished && this.#failure === null && !this.#closed) this.#linger();
  }

  /**
   * Closes once no unread input is left. On TCP, a close with unread input sends a reset, which may
   * discard bytes in flight (RFC 1122, section 4.2.2.13).
   */
  #linger(): void {
    if (this.#drainInput(this.#first) && this.#drainInput(this.#second)) this.#close("end", false);
    else this.#deadline ??= this.#reactor.after(LINGER_MS, () => this.#close("end", false));
  }

  /** Discards the input of an end. @returns Whether its end was reached. */
  #drainInput(end: RelayEnd): boolean {
    if (end.kind === "unix" || end.ended || end.broken) return true;
    const { read } = this.#buffers;
    for (let round = 0; round < CHUNKS_PER_TURN; round++) {
      const count = receive(end.descriptor, read);
      if (count > 0) continue;
      end.ended = count !== WOULD_BLOCK;
      return end.ended;
    }
    end.requestTurn();
    return false;
  }

  #close(reason: RelayCloseReason, abruptly: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.cancel();
    try {
      this.#first.close(abruptly);
    } finally {
      try {
        this.#second.close(abruptly);
      } finally {
        this.#report(reason);
      }
    }
  }

  #report(reason: RelayCloseReason): void {
    this.#owner.onRelayClosed({
      bytesIn: this.#first.bytes,
      bytesOut: this.#second.bytes,
      reason,
      brokenEnd: this.#failure?.brokenEnd ?? null,
    });
  }
}
