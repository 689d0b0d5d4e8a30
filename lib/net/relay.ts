/**
 * Relays bytes between two connections, in both directions, until both have ended.
 *
 * Half-close passes through. Bytes that one connection does not take are kept, and nothing more is
 * read from the other until they are sent, so a relay holds at most one buffer per direction. No
 * byte that was read is lost, in whatever order the ends are closed.
 *
 * A long stream from one Unix socket to another is moved by `splice(2)`, without a copy
 * (`relay_pipe.ts`).
 *
 * Events are edge-triggered: each connection is added to the epoll set once.
 *
 * @module
 */
import {
  BROKEN,
  NO_MEMORY,
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  WOULD_BLOCK,
} from "../libc/sockets.ts";
import { RelayClosing } from "./relay_closing.ts";
import { BULK, CHUNK, CHUNKS_PER_TURN, type RelayBuffers } from "./relay_buffers.ts";
import { EPOLLERR, EPOLLHUP, EPOLLOUT, type Reactor } from "../reactor/reactor.ts";
import { type RelayConnection, RelayEnd, type RelayEndOwner } from "./relay_end.ts";
import type { RelayOwner, TerminationReason } from "./relay_outcome.ts";

/** Space for an encrypted FIN record, in bytes. */
const FIN_BYTES = 256;

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
  readonly #first: RelayEnd;
  readonly #second: RelayEnd;
  readonly #closing: RelayClosing;

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
    this.#first = new RelayEnd(this, first);
    this.#second = new RelayEnd(this, second);
    this.#closing = new RelayClosing(reactor, buffers, this.#first, this.#second, owner);
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

  /** How many bytes of plaintext each end has sent so far: the first one, and the second one. */
  get bytes(): { readonly first: number; readonly second: number } {
    return { first: this.#first.bytes, second: this.#second.bytes };
  }

  /** Closes both connections at once. */
  abort(reason: TerminationReason | "error"): void {
    this.#closing.abort(reason);
  }

  /** A peer has acknowledged nothing for too long: its connection is broken. */
  onPeerLost(end: RelayEnd): void {
    this.#closing.cut(end);
  }

  /** Handles events of an end, or a turn that it requested. */
  onEvents(end: RelayEnd, mask: number): void {
    const other = end === this.#first ? this.#second : this.#first;
    end.recordEvents(mask);
    const closing = this.#closing;
    if (closing.isFinished && !closing.hasFailed) {
      closing.check();
      return;
    }
    if (end.ended && !end.inputEnded && end.readable) this.#readBehindFin(end, other);
    if (closing.isClosed) return;
    this.#pump(end, other);
    if (closing.isClosed || (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) === 0) return;
    if (end.unsent !== null || other.mayPump) this.#pump(other, end);
    closing.check();
  }

  /** Moves bytes until there are none, the other end takes no more, or the turn is used up. */
  #pump(from: RelayEnd, to: RelayEnd): void {
    const closing = this.#closing;
    for (let round = 0; round < CHUNKS_PER_TURN; round++) {
      if (to.unsent !== null && !this.#flush(to)) break;
      if (closing.hasFailed) {
        closing.check();
        return;
      }
      if (from.ended) {
        if (!from.inputEnded && from.readable) this.#readBehindFin(from, to);
        if (!closing.isClosed) this.#passEnd(from, to);
        return;
      }
      if (!this.#move(from, to)) break;
      if (closing.isClosed) return;
    }
    if (closing.isClosed) return;
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
    const moved = from.isBulk ? this.#splice(from, to) : 0;
    if (moved === BROKEN) {
      this.#closing.cut(from);
      return false;
    }
    if (moved > 0) return true;
    const { read } = this.#buffers;
    // A multiple of the record size: the rest of a chunk would need a record of its own.
    const whole = to.seal === null ? read : read.subarray(0, CHUNK - CHUNK % to.seal.maxBody);
    let count = receive(from.descriptor, whole);
    if (count === WOULD_BLOCK) {
      from.readable = false;
      return false;
    }
    if (count === BROKEN) {
      this.#closing.cut(from);
      return false;
    }
    if (count === 0) {
      from.inputEnded = true;
      if (from.seal !== null && !to.broken) this.#closing.fail("truncated", to);
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
    if (count >= BULK && from.isPlain && to.isPlain) from.beginBulk(this.#buffers.pipe);
    this.#pass(from, to, read.subarray(0, count));
    // The kernel reports a broken connection once, and end-of-file afterwards.
    if (more === BROKEN) this.#closing.cut(from);
    return true;
  }

  /** Passes bytes on without a copy. @returns How many, or `BROKEN` where their connection is. */
  #splice(from: RelayEnd, to: RelayEnd): number {
    if (to.broken || !to.writable || from.hungUp) return 0;
    const { pipe, read } = this.#buffers;
    let count: number;
    try {
      count = pipe.move(from.descriptor, to.descriptor, read);
    } catch (error) {
      from.bytes += pipe.moved;
      to.dropped += pipe.left;
      throw error;
    }
    from.isBulk = count >= BULK;
    if (count <= 0) return count;
    this.lastActivity = this.#reactor.now();
    from.bytes += count;
    if (pipe.left > 0) this.#send(to, read, pipe.left);
    return count;
  }

  /** After FIN only end-of-file may come: any byte ends the connection (docs/protocol.md). */
  #readBehindFin(end: RelayEnd, other: RelayEnd): void {
    const count = receive(end.descriptor, this.#buffers.read.subarray(0, 1));
    if (count === WOULD_BLOCK) end.readable = false;
    else if (count > 0) this.#closing.fail("unexpected", other);
    else {
      end.inputEnded = true;
      if (count === BROKEN) this.#break(end);
    }
  }

  #pass(from: RelayEnd, to: RelayEnd, chunk: Uint8Array<ArrayBuffer>): void {
    this.lastActivity = this.#reactor.now();
    const { data, error } = from.take(chunk, this.#buffers);
    if (data.length > 0) this.#write(to, data, from.ended);
    if (error !== null) this.#closing.fail(error, to);
  }

  /** @param last Whether the end of the stream follows. */
  #write(to: RelayEnd, data: Uint8Array<ArrayBuffer>, last: boolean): void {
    // No connection to write to; reading on lets the other peer reach its own end.
    if (to.broken) {
      to.drop(data.length);
      return;
    }
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
    if (taken === BROKEN || taken === NO_MEMORY) {
      to.dropped += count;
      if (taken === BROKEN) this.#break(to);
      // Its peer still waits for these bytes: a stream with a gap must not go on.
      else this.#closing.cut(to);
    } else if (taken < count) {
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

  /** Closes when there is nothing left to relay. */
  #settle(): void {
    this.#first.noticeHangUp();
    this.#second.noticeHangUp();
    if (this.#closing.isFinished && !this.#closing.hasFailed) this.#closing.check();
  }
}
