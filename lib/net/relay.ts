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
import { Confirmation } from "./confirmation.ts";
import { CHUNK, type RelayBuffers } from "./relay_buffers.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT, type Reactor } from "../reactor/reactor.ts";
import { type RelayConnection, RelayEnd, type RelayEndOwner } from "./relay_end.ts";
import type {
  RelayCloseReason,
  RelayOutcome,
  RelayOwner,
  TerminationReason,
} from "./relay_outcome.ts";

/** How many chunks one direction moves per turn of the reactor. */
const CHUNKS_PER_TURN = 4;
/** Space for an encrypted FIN record, in bytes. */
const FIN_BYTES = 256;
/** How long input is discarded after everything was sent and confirmed, in milliseconds. */
const LINGER_MS = 2_000;

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
  readonly #confirmation: Confirmation;
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
    this.#confirmation = new Confirmation(reactor, () => this.#conclude());
    try {
      this.#first.watch(reactor, buffers.peers);
    } catch (error) {
      second.descriptor.close();
      throw error;
    }
    try {
      this.#second.watch(reactor, buffers.peers);
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

  /** A peer has acknowledged nothing for too long: its connection is broken. */
  onPeerLost(end: RelayEnd): void {
    this.#cut(end, end === this.#first ? this.#second : this.#first);
  }

  /** Handles events of an end, or a turn that it requested. */
  onEvents(end: RelayEnd, mask: number): void {
    const other = end === this.#first ? this.#second : this.#first;
    end.recordEvents(mask);
    if (this.#isFinished && this.#failure === null) {
      this.#linger();
      return;
    }
    if (end.ended && !end.inputEnded && end.readable) this.#readBehindFin(end, other);
    if (this.#closed) return;
    this.#pump(end, other);
    if (this.#closed || (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) === 0) return;
    if (end.unsent !== null || other.mayPump) this.#pump(other, end);
    if (!this.#closed) this.#conclude();
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
        if (!from.inputEnded && from.readable) this.#readBehindFin(from, to);
        if (!this.#closed) this.#passEnd(from, to);
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
      from.inputEnded = true;
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
      from.ended = from.inputEnded = more === 0;
      count += Math.max(0, more);
    }
    this.#pass(from, to, read.subarray(0, count));
    // The kernel reports a broken connection once, and end-of-file afterwards.
    if (more === BROKEN) this.#cut(from, to);
    return true;
  }

  /** After FIN only end-of-file may come: any byte ends the connection (docs/protocol.md). */
  #readBehindFin(end: RelayEnd, other: RelayEnd): void {
    const count = receive(end.descriptor, this.#buffers.read.subarray(0, 1));
    if (count === WOULD_BLOCK) end.readable = false;
    else if (count > 0) this.#fail("unexpected", other);
    else {
      end.inputEnded = true;
      if (count === BROKEN) this.#break(end);
    }
  }

  #pass(from: RelayEnd, to: RelayEnd, chunk: Uint8Array<ArrayBuffer>): void {
    this.lastActivity = this.#reactor.now();
    // No connection to write to; reading on lets the peer reach its own end.
    if (to.broken) {
      to.dropped += chunk.length;
      return;
    }
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
      to.finLength = to.seal.sealFin(out.subarray(length));
      length += to.finLength;
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
    if (to.seal !== null && to.finLength === 0 && !to.broken) {
      const out = this.#buffers.spaceToSeal(FIN_BYTES);
      to.finLength = to.seal.sealFin(out);
      this.#send(to, out, to.finLength, true);
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
    end.break();
    const other = end === this.#first ? this.#second : this.#first;
    // A Unix peer then gets EPIPE, as it would from the backend itself.
    if (other.kind === "unix") shutdownRead(other.descriptor);
  }

  /** An end's connection broke: its stream may be incomplete. */
  #cut(from: RelayEnd, to: RelayEnd): void {
    from.break();
    this.#fail("error", to, from === this.#first ? "first" : "second");
  }

  /** Ends the relay after what was read has been passed on. */
  #fail(reason: RelayCloseReason, to: RelayEnd, brokenEnd: RelayOutcome["brokenEnd"] = null): void {
    this.#failure ??= { reason, to, brokenEnd };
    this.#breakOff();
  }

  /**
   * Closes both connections because of a failure, once the other end has received everything. A
   * slow reader is not hurried, and one that takes nothing for two minutes ends the wait.
   */
  #breakOff(): void {
    if (this.#failure === null || this.#closed) return;
    const { reason, to } = this.#failure;
    if (to.broken || (to.kind === "unix" && to.unsent === null)) {
      this.#close(reason, true);
      return;
    }
    // In an encrypted stream the missing FIN record reports it, and a reset must not happen.
    const isSealed = to.seal !== null && to.unsent === null;
    if (isSealed && !to.finPassed) {
      to.finPassed = true;
      shutdownWrite(to.descriptor);
    }
    // Elsewhere the reset that reports it would discard bytes that are still on their way.
    this.#closeConfirmed(to.unconfirmed, !isSealed || this.#drainInput(to), reason);
  }

  /**
   * Closes once the bytes sent are confirmed, and then no unread input is left or 2 s have passed:
   * on TCP, a close with unread input sends a reset, which discards bytes on their way (RFC 1122,
   * section 4.2.2.13).
   *
   * @param unconfirmed How many bytes are not confirmed.
   * @param drained Whether no unread input is left.
   */
  #closeConfirmed(unconfirmed: number, drained: boolean, reason: RelayCloseReason): void {
    if (this.#closed) return;
    if (unconfirmed === 0 && drained) {
      this.#close(reason, reason !== "end");
      return;
    }
    // A Unix stream that the close was to end does not wait for the other connection.
    for (const end of [this.#first, this.#second]) {
      if (end.kind === "unix" && end.finPassed && !end.broken) shutdownWrite(end.descriptor);
    }
    const unchanged = this.#confirmation.record(unconfirmed);
    if (unconfirmed === 0) {
      if (unchanged >= LINGER_MS) this.#close(reason, reason !== "end");
    } else if (reason !== "end" && unchanged >= this.#buffers.peerTimeoutMs) {
      // After a proper end, a peer that answers may take its time (PeerWatch).
      this.#close(reason, true);
    }
  }

  /** Checks whether the relay can be closed. */
  #conclude(): void {
    const [first, second] = [this.#first, this.#second];
    if (this.#failure !== null) this.#breakOff();
    else if (this.#isFinished) this.#linger();
    else if (first.hasError && second.unsent !== null) this.#awaitProgress(first, second);
    else if (second.hasError && first.unsent !== null) this.#awaitProgress(second, first);
  }

  /**
   * Gives the other end of a broken connection time for what was received before, as long as it
   * takes some of it within two minutes.
   */
  #awaitProgress(broken: RelayEnd, to: RelayEnd): void {
    const unsent = to.unsent?.length ?? 0;
    if (this.#confirmation.record(unsent) < this.#buffers.peerTimeoutMs) return;
    this.#failure = { reason: "error", to, brokenEnd: broken === this.#first ? "first" : "second" };
    this.#close("error", true);
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

  /** Closes both connections after the end of both streams. */
  #linger(): void {
    let drained = true;
    let unconfirmed = 0;
    for (const end of [this.#first, this.#second]) {
      if (!this.#drainInput(end)) drained = false;
      if (this.#closed || this.#failure !== null) return;
      if (end.broken) continue;
      const count = end.unconfirmed;
      if (!end.hasError) unconfirmed += count;
      else if (count === 0) end.break();
      else {
        // Its last bytes are lost.
        this.#cut(end, end === this.#first ? this.#second : this.#first);
        return;
      }
    }
    this.#closeConfirmed(unconfirmed, drained, "end");
  }

  /** Discards the input of an end. @returns Whether its end was reached. */
  #drainInput(end: RelayEnd): boolean {
    if (end.kind === "unix" || end.inputEnded || end.broken) return true;
    const { read } = this.#buffers;
    for (let round = 0; round < CHUNKS_PER_TURN; round++) {
      const count = receive(end.descriptor, read);
      if (count > 0 && end.seal !== null && end.ended) {
        this.#fail("unexpected", end === this.#first ? this.#second : this.#first);
        return false;
      }
      if (count > 0) continue;
      end.inputEnded = count !== WOULD_BLOCK;
      if (count === BROKEN) end.hasError = true;
      return end.inputEnded;
    }
    end.requestTurn();
    return false;
  }

  #close(reason: RelayCloseReason, abruptly: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#confirmation.cancel();
    const unconfirmed = {
      unconfirmedIn: this.#second.unconfirmed,
      unconfirmedOut: this.#first.unconfirmed,
    };
    try {
      if (reason !== "end") this.#owner.onRelayCut?.(reason);
    } finally {
      this.#closeEnds(reason, abruptly, unconfirmed);
    }
  }

  #closeEnds(
    reason: RelayCloseReason,
    abruptly: boolean,
    unconfirmed: Pick<RelayOutcome, "unconfirmedIn" | "unconfirmedOut">,
  ): void {
    try {
      this.#first.close(abruptly);
    } finally {
      try {
        this.#second.close(abruptly);
      } finally {
        this.#owner.onRelayClosed({
          bytesIn: this.#first.bytes,
          bytesOut: this.#second.bytes,
          reason,
          brokenEnd: this.#failure?.brokenEnd ?? null,
          ...unconfirmed,
        });
      }
    }
  }
}
