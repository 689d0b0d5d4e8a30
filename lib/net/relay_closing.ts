/**
 * The end of a relay: both connections are closed once all that was sent has arrived, or cannot.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import { receive, shutdownWrite, WOULD_BLOCK } from "../libc/sockets.ts";
import type { Reactor } from "../reactor/reactor.ts";
import { Confirmation } from "./confirmation.ts";
import { CHUNKS_PER_TURN, type RelayBuffers } from "./relay_buffers.ts";
import type { RelayEnd } from "./relay_end.ts";
import type { RelayCloseReason, RelayOutcome, RelayOwner } from "./relay_outcome.ts";

/** How long input is discarded after everything was sent and confirmed, in milliseconds. */
const LINGER_MS = 2_000;

/** A reason to end a relay once `to` has received what was read for it. */
interface RelayFailure {
  readonly reason: RelayCloseReason;
  readonly to: RelayEnd;
  readonly brokenEnd: RelayOutcome["brokenEnd"];
}

/** Decides when the two ends of a relay can be closed, and closes them. */
export class RelayClosing {
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #first: RelayEnd;
  readonly #second: RelayEnd;
  readonly #owner: RelayOwner;
  /** Null until something is waited for: most relays end at once, and many are idle. */
  #confirmation: Confirmation | null = null;
  #failure: RelayFailure | null = null;
  #closed = false;

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    first: RelayEnd,
    second: RelayEnd,
    owner: RelayOwner,
  ) {
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#first = first;
    this.#second = second;
    this.#owner = owner;
  }

  /** Records how many bytes wait. @returns How long there have been as many, in milliseconds. */
  #record(pending: number): number {
    this.#confirmation ??= new Confirmation(
      this.#reactor,
      () => this.check(),
      () => this.#close("error"),
    );
    return this.#confirmation.record(pending);
  }

  /** Whether both connections are closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether nothing is read any more, because one of the streams has failed. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  /** Whether nothing will be passed on any more. */
  get isFinished(): boolean {
    const one = this.#first;
    const other = this.#second;
    return (one.finPassed || one.broken) && (other.finPassed || other.broken);
  }

  /** Closes both connections at once. */
  abort(reason: RelayCloseReason): void {
    this.#close(reason);
  }

  /** An end's connection broke: its stream may be incomplete. */
  cut(end: RelayEnd): void {
    end.break();
    this.fail("error", this.#otherOf(end), this.#nameOf(end));
  }

  /** Ends the relay after what was read has been passed on. */
  fail(reason: RelayCloseReason, to: RelayEnd, brokenEnd: RelayOutcome["brokenEnd"] = null): void {
    this.#failure ??= { reason, to, brokenEnd };
    this.check();
  }

  /** Closes the relay, if it can be. */
  check(): void {
    if (this.#closed) return;
    const [first, second] = [this.#first, this.#second];
    if (this.#failure !== null) this.#breakOff(this.#failure);
    else if (this.isFinished) this.#linger();
    else if (first.hasError && second.unsent !== null) this.#awaitProgress(first, second.unsent);
    else if (second.hasError && first.unsent !== null) this.#awaitProgress(second, first.unsent);
  }

  /** Closes both connections because of a failure, once the other end has received everything. */
  #breakOff({ reason, to }: RelayFailure): void {
    if (to.broken || (to.kind === "unix" && to.unsent === null)) {
      this.#close(reason);
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
        this.cut(end);
        return;
      }
    }
    this.#closeConfirmed(unconfirmed, drained, "end");
  }

  /**
   * Gives the other end of a broken connection time for what was received before, as long as it
   * takes some of it within two minutes.
   */
  #awaitProgress(broken: RelayEnd, unsent: Uint8Array): void {
    if (this.#record(unsent.length) < this.#buffers.peerTimeoutMs) return;
    const brokenEnd = this.#nameOf(broken);
    this.#failure = { reason: "error", to: this.#otherOf(broken), brokenEnd };
    this.#close("error");
  }

  /**
   * Closes once the bytes sent are confirmed, and then no unread input is left or 2 s have passed:
   * on TCP, a close with unread input sends a reset, which discards bytes on their way (RFC 1122,
   * section 4.2.2.13). A slow reader is not hurried, and one that takes nothing for two minutes
   * ends the wait.
   *
   * @param unconfirmed How many bytes are not confirmed.
   * @param drained Whether no unread input is left.
   */
  #closeConfirmed(unconfirmed: number, drained: boolean, reason: RelayCloseReason): void {
    if (this.#closed) return;
    if (unconfirmed === 0 && drained) {
      this.#close(reason);
      return;
    }
    // A Unix stream that the close was to end does not wait for the other connection.
    for (const end of [this.#first, this.#second]) {
      if (end.kind === "unix" && end.finPassed && !end.broken) shutdownWrite(end.descriptor);
    }
    const unchanged = this.#record(unconfirmed);
    if (unconfirmed === 0) {
      if (unchanged >= LINGER_MS) this.#close(reason);
    } else if (unchanged >= this.#buffers.peerTimeoutMs) {
      this.#close(reason === "end" ? "error" : reason);
    }
  }

  /**
   * Discards the input of an end, which counts as lost where no stream has failed.
   *
   * @returns Whether its end was reached.
   */
  #drainInput(end: RelayEnd): boolean {
    if (end.kind === "unix" || end.inputEnded || end.broken) return true;
    const { read } = this.#buffers;
    for (let round = 0; round < CHUNKS_PER_TURN; round++) {
      const count = receive(end.descriptor, read);
      if (count > 0) {
        if (this.#failure !== null || this.#discard(end, read.subarray(0, count))) continue;
        return false;
      }
      end.inputEnded = count !== WOULD_BLOCK;
      if (count !== WOULD_BLOCK && count !== 0) end.hasError = true;
      return end.inputEnded;
    }
    end.requestTurn();
    return false;
  }

  /**
   * Discards bytes of an end whose other end takes no more.
   *
   * @returns Whether there may be more of them. Otherwise the relay has failed.
   */
  #discard(end: RelayEnd, chunk: Uint8Array<ArrayBuffer>): boolean {
    const other = this.#otherOf(end);
    // A byte behind FIN (docs/protocol.md).
    if (end.seal !== null && end.ended) this.fail("unexpected", other);
    else {
      const { data, error } = end.take(chunk, this.#buffers);
      other.drop(data.length);
      if (error !== null) this.fail(error, other);
    }
    return this.#failure === null;
  }

  /** Closes both connections: with a reset where a stream has not ended properly. */
  #close(reason: RelayCloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#confirmation?.cancel();
    const isCut = reason !== "end";
    const [first, second] = [this.#first, this.#second];
    let [unconfirmedIn, unconfirmedOut] = [0, 0];
    const steps = [
      () => unconfirmedIn = second.unconfirmed,
      () => unconfirmedOut = first.unconfirmed,
      () => {
        if (isCut && (!first.ended || unconfirmedIn > 0)) this.#owner.onRelayCut?.(reason);
      },
      () => first.close(isCut),
      () => second.close(isCut),
      () =>
        this.#owner.onRelayClosed({
          bytesIn: first.bytes,
          bytesOut: second.bytes,
          reason,
          brokenEnd: this.#failure?.brokenEnd ?? null,
          unconfirmedIn,
          unconfirmedOut,
        }),
    ];
    // Each step is made even where another one throws.
    guardEach(steps, (step) => void step(), (error) => this.#reactor.report(error));
  }

  #otherOf(end: RelayEnd): RelayEnd {
    return end === this.#first ? this.#second : this.#first;
  }

  #nameOf(end: RelayEnd): "first" | "second" {
    return end === this.#first ? "first" : "second";
  }
}
