/**
 * Two connections joined: what one sends, the other gets, in both directions, until both have ended.
 *
 * Half-closing passes through. What does not fit into one connection at once is kept, and nothing more is
 * read from the other until it has gone, so a relay holds at most one buffer a direction. Nothing that was
 * read is lost, in whatever order the ends are closed.
 *
 * Events are edge-triggered: a connection is told to the kernel once, and never again.
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
import type { Timer } from "../reactor/timers.ts";

/** How many chunks one direction moves before others have their turn. */
const ROUNDS = 4;
/** Enough for the sealed end of a stream, in bytes. */
const END_ROOM = 256;
/** How long a peer may go on sending to nobody after it has been told everything, in milliseconds. */
const LINGER = 2_000;
/** How often is looked whether everything sent has arrived, in milliseconds: the kernel does not tell. */
const LOOK = 20;

/**
 * How a relay ended: `end` when both sides were done, `error` when a connection broke, what a seal refused
 * (`truncated`, `corrupt` …), or the word it was aborted with.
 */
export interface RelayOutcome {
  /** Bytes of plaintext that the first end sent. */
  readonly bytesIn: number;
  /** And the second. */
  readonly bytesOut: number;
  readonly reason: string;
  /** Which end broke off, where one did. */
  readonly brokenEnd: "first" | "second" | null;
}

/** Who hears of a relay's end. */
export interface RelayOwner {
  /** Called once, when both connections are closed, and never before the constructor has returned. */
  onRelayClosed(outcome: RelayOutcome): void;
}

/** Two joined connections. They belong to the relay, which closes them. */
export class Relay implements RelayEndOwner {
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #holder: RelayOwner;
  readonly #first: RelayEnd;
  readonly #second: RelayEnd;
  /** Why it has to end, as soon as the end it names has got what was read for it. */
  #failure: {
    readonly reason: string;
    readonly to: RelayEnd;
    readonly brokenEnd: RelayOutcome["brokenEnd"];
  } | null = null;
  /** When its end is no longer waited for. */
  #deadline: Timer | null = null;
  #over = false;

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
    holder: RelayOwner,
  ) {
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#holder = holder;
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

  /** When a byte last went either way, on the reactor's clock. */
  lastActivity = performance.now();

  /** Closes both connections at once. */
  abort(reason: string): void {
    this.#close(reason, true);
  }

  /** Something happened at an end, or more is to be done. */
  onEvents(end: RelayEnd, mask: number): void {
    const other = end === this.#first ? this.#second : this.#first;
    end.recordEvents(mask);
    if (this.#isDone && this.#failure === null) {
      this.#linger();
      return;
    }
    this.#pump(end, other);
    if (this.#over || (mask & (EPOLLOUT | EPOLLHUP | EPOLLERR)) === 0) return;
    if (end.unsent !== null || other.mayPump) this.#pump(other, end);
  }

  /** Moves bytes from one end to the other until there are no more, or they no longer fit. */
  #pump(from: RelayEnd, to: RelayEnd): void {
    for (let round = 0; round < ROUNDS; round++) {
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
      if (this.#over) return;
    }
    if (this.#over) return;
    if (from.mayPump && to.unsent === null) from.requestTurn();
    this.#settle();
  }

  /** Reads once and passes it on. @returns Whether there may be more. */
  #move(from: RelayEnd, to: RelayEnd): boolean {
    const early = from.received;
    if (early !== null) {
      from.received = null;
      this.#pass(from, to, early);
      return true;
    }
    if (!from.readable) return false;
    const { read } = this.#buffers;
    // Whole records: the rest of a chunk would travel in one of its own.
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
    // Few bytes do not mean that there are no more: the kernel ends a read where descriptors or urgent data are
    // attached (unix(7), tcp(7)). So reading goes on until it says so. An end that is near is found at once, and
    // leaves with the last bytes and not after them.
    let more = WOULD_BLOCK;
    if (from.hungUp && from.seal === null && count < whole.length) {
      more = receive(from.descriptor, whole.subarray(count));
      from.ended = more === 0;
      count += Math.max(0, more);
    }
    this.#pass(from, to, read.subarray(0, count));
    // The kernel tells of a broken connection once, and afterwards of an end.
    if (more === BROKEN) this.#cut(from, to);
    return true;
  }

  #pass(from: RelayEnd, to: RelayEnd, chunk: Uint8Array<ArrayBuffer>): void {
    this.lastActivity = this.#reactor.now();
    // Nobody is there to take it; reading on lets the peer come to its own end.
    if (to.broken) return;
    if (from.seal === null) {
      from.bytes += chunk.length;
      this.#write(to, chunk, from.ended);
      return;
    }
    const out = this.#buffers.roomToOpen(from.seal.capacityFor(chunk.length));
    const { length, ended, error } = from.seal.open(chunk, out);
    from.bytes += length;
    if (ended) from.ended = true;
    if (length > 0) this.#write(to, out.subarray(0, length), ended);
    if (error !== null) this.#fail(error, to);
  }

  /** @param last Whether the end follows. */
  #write(to: RelayEnd, data: Uint8Array<ArrayBuffer>, last: boolean): void {
    if (to.seal === null) {
      this.#send(to, data, data.length);
      return;
    }
    const out = this.#buffers.roomToSeal(to.seal.sealedLength(data.length) + END_ROOM);
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
      to.awaitRoom();
    }
  }

  /** Sends what was kept. @returns Whether nothing is kept any more. */
  #flush(to: RelayEnd): boolean {
    if (!to.writable || to.unsent === null) return false;
    const rest = to.unsent;
    to.unsent = null;
    this.lastActivity = this.#reactor.now();
    this.#send(to, rest, rest.length);
    return to.unsent === null;
  }

  /** One side has sent its last byte, and the other has it: tell it so. */
  #passEnd(from: RelayEnd, to: RelayEnd): void {
    if (to.seal !== null && !to.finSealed && !to.broken) {
      to.finSealed = true;
      const out = this.#buffers.roomToSeal(END_ROOM);
      this.#send(to, out, to.seal.sealFin(out), true);
      if (to.unsent !== null) return;
    }
    from.noticeHangUp();
    if (!to.finPassed && !to.broken) {
      to.finPassed = true;
      // Where nothing goes the other way any more, it is about to be closed, and on a Unix socket that says it as well.
      if (to.kind !== "unix" || !(from.finPassed || from.broken)) shutdownWrite(to.descriptor);
    }
    this.#settle();
  }

  /** An end takes nothing any more. What it still has to say goes on. */
  #break(end: RelayEnd): void {
    end.broken = true;
    end.unsent = null;
    const other = end === this.#first ? this.#second : this.#first;
    // On a Unix socket the peer learns of it, as it would have from the backend itself.
    if (other.kind === "unix") shutdownRead(other.descriptor);
  }

  /** An end has broken off: what it meant to say is not known to be complete. */
  #cut(from: RelayEnd, to: RelayEnd): void {
    from.broken = true;
    from.unsent = null;
    this.#fail("error", to, from === this.#first ? "first" : "second");
  }

  /** Ends both, after what was read has been passed on. */
  #fail(reason: string, to: RelayEnd, brokenEnd: RelayOutcome["brokenEnd"] = null): void {
    this.#failure ??= { reason, to, brokenEnd };
    this.#breakOff();
  }

  /**
   * Ends both because of a failure, once the other end has everything. A slow reader has all its time, as it has
   * while nothing is wrong.
   */
  #breakOff(): void {
    if (this.#failure === null || this.#over) return;
    const { reason, to } = this.#failure;
    if (to.unsent !== null) return;
    if (to.broken || to.kind === "unix") this.#close(reason, true);
    else if (to.seal === null) {
      // The reset that tells of the failure would take along what is still on its way.
      if (unacknowledgedBytes(to.descriptor) === 0) this.#close(reason, true);
      else this.#deadline ??= this.#reactor.after(LOOK, () => this.#lookAgain());
    } else {
      // Behind a seal the missing FIN tells of it, and a reset is what must not happen.
      if (!to.finPassed) shutdownWrite(to.descriptor);
      to.finPassed = true;
      if (this.#hasRead(to)) this.#close(reason, true);
      else this.#deadline ??= this.#reactor.after(LINGER, () => this.#close(reason, true));
    }
  }

  #lookAgain(): void {
    this.#deadline = null;
    this.#breakOff();
  }

  /** Whether everything has been passed on that ever will be. */
  get #isDone(): boolean {
    const one = this.#first;
    const other = this.#second;
    return (one.finPassed || one.broken) && (other.finPassed || other.broken);
  }

  /** Closes when there is nothing left to do. */
  #settle(): void {
    this.#first.noticeHangUp();
    this.#second.noticeHangUp();
    if (this.#isDone && this.#failure === null && !this.#over) this.#linger();
  }

  /**
   * Closes, once nothing unread is left. A close with unread input is a reset on TCP, which may overtake
   * what was sent (RFC 1122, section 4.2.2.13).
   */
  #linger(): void {
    if (this.#hasRead(this.#first) && this.#hasRead(this.#second)) this.#close("end", false);
    else this.#deadline ??= this.#reactor.after(LINGER, () => this.#close("end", false));
  }

  /** Throws away what an end still says. @returns Whether it has come to its end. */
  #hasRead(end: RelayEnd): boolean {
    if (end.kind === "unix" || end.ended || end.broken) return true;
    const { read } = this.#buffers;
    for (let round = 0; round < ROUNDS; round++) {
      const count = receive(end.descriptor, read);
      if (count > 0) continue;
      end.ended = count !== WOULD_BLOCK;
      return end.ended;
    }
    end.requestTurn();
    return false;
  }

  #close(reason: string, abruptly: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline?.cancel();
    this.#first.close(abruptly);
    this.#second.close(abruptly);
    this.#holder.onRelayClosed({
      bytesIn: this.#first.bytes,
      bytesOut: this.#second.bytes,
      reason,
      brokenEnd: this.#failure?.brokenEnd ?? null,
    });
  }
}
