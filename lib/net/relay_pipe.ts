/**
 * Bytes that pass from one Unix socket to another without a copy in this process.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { pipe, readPipe, resizePipe } from "../libc/pipe.ts";
import { WOULD_BLOCK } from "../libc/sockets.ts";
import { splice } from "../libc/splice.ts";

interface PipeEnds {
  readonly reader: Descriptor;
  readonly writer: Descriptor;
}

/**
 * The pipe of a thread between two sockets, as `splice(2)` needs one. It is empty between two
 * calls, so that all relays can share it; one that may not be empty is never used again.
 *
 * It is open while a relay that has used it is.
 */
export class RelayPipe {
  readonly #capacity: number;
  #ends: PipeEnds | null = null;
  #moved = 0;
  #left = 0;
  #users = 0;

  /** @param capacity The most bytes that one call moves. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** A relay will use it, until {@linkcode leave}. */
  enter(): void {
    this.#users++;
  }

  /** A relay has ended. The last one closes the pipe. */
  leave(): void {
    if (--this.#users === 0) this.#discard();
  }

  /** How many bytes have left the first socket in the last {@linkcode move}, also if it failed. */
  get moved(): number {
    return this.#moved;
  }

  /** How many bytes of the last {@linkcode move} the other socket has not taken. */
  get left(): number {
    return this.#left;
  }

  /**
   * Moves what has arrived at one socket to another one.
   *
   * @param rest Receives what the other one does not take, whatever the reason; as long as the
   * capacity.
   * @returns The number of bytes that have left the first socket; 0 where none can be moved so, and
   * at end-of-file; `BROKEN` of `sockets.ts` where its connection is: nothing reports it again.
   * @throws {Error} When `rest` is too short, or bytes are missing: the relay cannot go on, and the
   * pipe is not used again.
   */
  move(from: Descriptor, to: Descriptor, rest: Uint8Array<ArrayBuffer>): number {
    const ends = this.#ends ?? this.#open();
    this.#moved = this.#left = 0;
    if (ends === null) return 0;
    // Where anything fails here, the bytes of this relay must not reach the next one.
    this.#ends = null;
    try {
      const count = splice(from, ends.writer, this.#capacity);
      this.#moved = this.#left = Math.max(0, count);
      while (this.#left > 0) {
        const taken = splice(ends.reader, to, this.#left);
        if (taken <= 0) break;
        this.#left -= taken;
      }
      if (this.#left > rest.length) {
        throw new RangeError(`${this.#left} bytes for a buffer of ${rest.length}`);
      }
      readAll(ends.reader, rest.subarray(0, this.#left));
      this.#ends = ends;
      return count === WOULD_BLOCK ? 0 : count;
    } finally {
      if (this.#ends === null) close(ends);
    }
  }

  /** @returns Null where no descriptor is left: the relay copies. */
  #open(): PipeEnds | null {
    try {
      const ends = pipe();
      resizePipe(ends.writer, this.#capacity);
      return ends;
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  #discard(): void {
    if (this.#ends !== null) close(this.#ends);
    this.#ends = null;
  }
}

function readAll(reader: Descriptor, into: Uint8Array<ArrayBuffer>): void {
  for (let at = 0; at < into.length;) {
    const count = readPipe(reader, into.subarray(at));
    if (count <= 0) throw new Error(`a pipe lacks ${into.length - at} bytes`);
    at += count;
  }
}

function close({ reader, writer }: PipeEnds): void {
  reader.close();
  writer.close();
}
