/**
 * `connect --pipe`: copies standard input to the service, and the service to standard output.
 *
 * Nothing else is to be done meanwhile, so one loop blocks the thread in `poll(2)`. A failure of
 * one direction never ends the other, and is reported after every byte that came before it.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { PollSet } from "../libc/poll_set.ts";
import { BROKEN, receive, send, shutdownWrite, WOULD_BLOCK } from "../libc/sockets.ts";
import { endStandardOutput } from "../libc/standard_output.ts";
import {
  readStandardInput,
  standardOutputWriter,
  STDIN,
  STDOUT,
} from "../libc/standard_streams.ts";
import { setUserTimeout, unacknowledgedBytes, USER_TIMEOUT_MS } from "../libc/tcp_socket.ts";
import { peerState } from "../net/peer_watch.ts";
import type { Seal } from "../net/relay_end.ts";
import type { RecordError } from "../net/relay_outcome.ts";
import { StreamError } from "./stream_error.ts";

/** How much is read at once, in bytes: the capacity of a pipe (pipe(7)). */
const CHUNK_BYTES = 64 * 1024;
/** Space for an encrypted FIN record, in bytes. */
const FIN_BYTES = 256;
/**
 * The longest wait between two looks at whether the service has read the input, in milliseconds.
 */
const MAX_TAKING_MS = 64;
/** How often a server on TCP is looked at in the time for which it may acknowledge nothing. */
const CHECKS_PER_TIMEOUT = 4;
const NOTHING = new Uint8Array(0);

/** The service's side of a pipe. */
export interface PipeConnection {
  /** Owned by the pipe. */
  readonly descriptor: Descriptor;
  /** The cipher of the access check; null on a Unix socket. */
  readonly seal: Seal | null;
  /** Bytes that were received already, sealed. */
  readonly received: Uint8Array<ArrayBuffer>;
}

/**
 * Copies in both directions until both have ended. Either may end first. A service that has closed
 * both ends the pipe, whatever standard input still has.
 *
 * @param onNoData The failure to throw when the service closes first and without a byte; null where
 * the access check has accepted the client before. On a Unix socket a refused client sees nothing
 * else.
 * @param peerTimeoutMs How long a server on TCP may acknowledge nothing, in milliseconds.
 * @throws {Failure} `onNoData`, 65 when the stream was truncated or changed or the server has gone,
 * 71 when standard input cannot be read or standard output not be written.
 * @throws {Deno.errors.BrokenPipe} When the output's reader has closed its end.
 */
export function pipe(
  connection: PipeConnection,
  onNoData: Failure | null,
  peerTimeoutMs: number = USER_TIMEOUT_MS,
): void {
  const running = new Pipe(connection, peerTimeoutMs);
  try {
    const outcome = running.run();
    if (outcome === "no-data" && onNoData !== null) throw onNoData;
  } finally {
    connection.seal?.wipe();
    connection.descriptor.close();
  }
}

/** The state of both directions. */
class Pipe {
  readonly #socket: Descriptor;
  readonly #seal: Seal | null;
  readonly #polls = new PollSet(3);
  readonly #writeOutput = standardOutputWriter();
  readonly #input = new Uint8Array(CHUNK_BYTES);
  readonly #answer = new Uint8Array(CHUNK_BYTES);
  /** Bytes for the service. */
  #unsent: Uint8Array<ArrayBuffer> = NOTHING;
  /** Bytes for standard output. */
  #unwritten: Uint8Array<ArrayBuffer> = NOTHING;
  #inputEnded = false;
  /** Nothing is sent any more: everything was, or nothing would be received. */
  #sendingEnded = false;
  /** On a Unix socket the input was read by the service, and not discarded with a refusal. */
  #inputTaken = false;
  /** How long the next wait for the service to read the input is, in milliseconds. */
  #takingMs = 1;
  /** The service's stream is complete, or will never be. */
  #answerEnded = false;
  /** End-of-file of the connection, which no byte precedes after {@linkcode #answerEnded}. */
  #receivingEnded = false;
  #outputEnded = false;
  #sentAny = false;
  #receivedAny = false;
  readonly #peerTimeoutMs: number;
  /** When the server is looked at again, on the clock of `performance.now()`. */
  #nextCheck: number;
  /** Thrown once everything before it is written. */
  #failure: Failure | null = null;

  constructor({ descriptor, seal, received }: PipeConnection, peerTimeoutMs: number) {
    this.#socket = descriptor;
    this.#seal = seal;
    this.#peerTimeoutMs = peerTimeoutMs;
    // Only sealed connections are TCP. A service may take its time to read, and the kernel would
    // count a closed window as no answer.
    if (seal !== null) setUserTimeout(descriptor, 0);
    this.#nextCheck = seal === null ? Infinity : performance.now();
    if (received.length > 0) this.#take(received);
  }

  /** @returns Whether the service has closed without a byte, and without taking the input. */
  run(): "done" | "no-data" {
    for (;;) {
      if (this.#unwritten.length === 0 && this.#answerEnded) {
        if (this.#failure !== null) throw this.#failure;
        if (this.#sendingEnded || !this.#outputEnded && this.#gotNothing) break;
        if (!this.#outputEnded) endStandardOutput();
        this.#outputEnded = true;
      }
      this.#turn();
    }
    return this.#gotNothing ? "no-data" : "done";
  }

  /** A service that has taken all of the input may have nothing to answer: that is no refusal. */
  get #gotNothing(): boolean {
    return !this.#receivedAny && !this.#inputTaken && this.#seal === null;
  }

  #turn(): void {
    const mayRead = !this.#receivingEnded && this.#unwritten.length === 0;
    const maySend = !this.#sendingEnded && this.#unsent.length > 0;
    const wantsInput = !this.#sendingEnded && !this.#inputEnded && this.#unsent.length === 0;
    // A connection that has hung up is reported on and on; by then there is only its input.
    const watchesSocket = mayRead || !this.#sendingEnded;
    const awaitsTaking = this.#awaitsTaking;
    // No event reports that the peer has read. The bytes are counted before the hang-up is looked
    // for: a server that refuses hangs up first, and discards its input then.
    const untilCheck = this.#checkServer();
    const isRead = awaitsTaking && unacknowledgedBytes(this.#socket) === 0;
    const [input, socket, output] = this.#polls.wait([
      { number: wantsInput ? STDIN : -1, input: true },
      { number: watchesSocket ? this.#socket.number : -1, input: mayRead, output: maySend },
      { number: this.#unwritten.length > 0 ? STDOUT : -1, output: true },
    ], isRead ? 0 : awaitsTaking ? this.#takingMs : untilCheck);
    if (isRead && !socket!.hungUp) this.#inputTaken = true;
    if (awaitsTaking) this.#takingMs = Math.min(2 * this.#takingMs, MAX_TAKING_MS);
    if (output!.ready) this.#write();
    if (socket!.ready && mayRead) this.#receive();
    if (socket!.hungUp) this.#breakSending();
    if (maySend && socket!.ready || awaitsTaking) this.#flush();
    if (input!.ready && !this.#sendingEnded) this.#read();
  }

  /**
   * Ends the pipe where the server has gone with bytes on their way to it, which no event reports
   * before the kernel gives up after about 15 minutes. One that answers and does not read is waited
   * for.
   *
   * @returns The time until the next look, in whole milliseconds; −1 for never.
   */
  #checkServer(): number {
    if (this.#nextCheck === Infinity || this.#receivingEnded) return -1;
    const now = performance.now();
    if (now >= this.#nextCheck) {
      this.#nextCheck = now + this.#peerTimeoutMs / CHECKS_PER_TIMEOUT;
      if (peerState(this.#socket, this.#peerTimeoutMs) === "lost") {
        this.#end(StreamError.lost());
        return 0;
      }
    }
    return Math.ceil(this.#nextCheck - now);
  }

  /**
   * Whether the end of the input is held back until the service has read the input itself. Where
   * it answers nothing, this alone tells it from a server that refuses.
   */
  get #awaitsTaking(): boolean {
    return this.#seal === null && this.#inputEnded && this.#sentAny && !this.#receivedAny &&
      !this.#inputTaken && !this.#sendingEnded;
  }

  #read(): void {
    let count: number;
    try {
      count = readStandardInput(this.#input);
    } catch (error) {
      this.#end(localFailure("read standard input", error));
      return;
    }
    if (count === WOULD_BLOCK) return;
    this.#inputEnded = count === 0;
    const data = this.#input.subarray(0, count);
    this.#sentAny ||= count > 0;
    if (this.#seal === null) this.#unsent = data;
    else {
      const out = new Uint8Array(this.#seal.sealedLength(count) + FIN_BYTES);
      const length = count > 0 ? this.#seal.sealData(data, out) : this.#seal.sealFin(out);
      this.#unsent = out.subarray(0, length);
    }
    this.#flush();
  }

  #flush(): void {
    while (this.#unsent.length > 0) {
      const count = send(this.#socket, this.#unsent);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN) {
        this.#breakSending();
        return;
      }
      this.#unsent = this.#unsent.subarray(count);
    }
    if (!this.#inputEnded || this.#sendingEnded || this.#awaitsTaking) return;
    shutdownWrite(this.#socket);
    this.#sendingEnded = true;
  }

  /** The input is not read any more. What the service has sent before is still received. */
  #breakSending(): void {
    if (this.#sendingEnded) return;
    this.#sendingEnded = true;
    this.#unsent = NOTHING;
  }

  #receive(): void {
    const count = receive(this.#socket, this.#answer);
    if (count === WOULD_BLOCK) return;
    if (count > 0) {
      if (!this.#answerEnded) this.#take(this.#answer.subarray(0, count));
      else this.#fail("unexpected");
      return;
    }
    this.#receivingEnded = true;
    // unix(7): the peer has closed and left input unread. What it sent before has been received.
    if (count === BROKEN) this.#breakSending();
    if (this.#seal !== null && !this.#answerEnded) this.#fail("truncated");
    this.#answerEnded = true;
  }

  /** Takes bytes of the connection. */
  #take(chunk: Uint8Array<ArrayBuffer>): void {
    if (this.#seal === null) {
      this.#receivedAny = true;
      this.#unwritten = chunk;
      return;
    }
    const out = new Uint8Array(this.#seal.capacityFor(chunk.length));
    const { length, ended, error } = this.#seal.open(chunk, out);
    this.#unwritten = out.subarray(0, length);
    if (ended) this.#answerEnded = true;
    if (error !== null) this.#fail(error);
  }

  #fail(error: RecordError): void {
    this.#end(StreamError.ofRecord(error));
  }

  /** Ends both directions with a failure. */
  #end(failure: Failure): void {
    this.#failure ??= failure;
    this.#answerEnded = true;
    this.#receivingEnded = true;
    this.#breakSending();
  }

  #write(): void {
    try {
      const count = this.#writeOutput(this.#unwritten);
      if (count !== WOULD_BLOCK) this.#unwritten = this.#unwritten.subarray(count);
    } catch (error) {
      // The reader has closed its end, as in `… | head -1`.
      const isClosed = error instanceof SystemError && error.errno === Errno.EPIPE;
      throw isClosed ? new Deno.errors.BrokenPipe() : localFailure("write standard output", error);
    }
  }
}

/** The failure of a call on this side's files. @throws What is no {@linkcode SystemError}. */
function localFailure(what: string, cause: unknown): Failure {
  if (!(cause instanceof SystemError)) throw cause;
  return new Failure(`Cannot ${what}: ${describe(cause.errno)}`, { exit: ExitCode.os, cause });
}
