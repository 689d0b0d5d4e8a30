/**
 * The stream after the handshake: DATA and FIN, in both directions.
 *
 * Specified in [section 5 of docs/protocol.md](../../docs/protocol.md#5-stream).
 *
 * @module
 */
import type { RecordError } from "../net/relay_outcome.ts";
import type { CipherState } from "../noise/cipher_state.ts";
import { FrameReader } from "./frame_reader.ts";
import { protocolErrorOf } from "./protocol_error.ts";
import {
  MAX_BODY_BYTES,
  MAX_CIPHERTEXT_BYTES,
  MIN_CIPHERTEXT_BYTES,
  openRecord,
  RECORD_OVERHEAD_BYTES,
  RecordType,
  sealRecord,
} from "./records.ts";

const NOTHING = new Uint8Array(0);

/** The result of {@linkcode Channel.open}. */
export interface OpenResult {
  /** The number of plaintext bytes written. They are authentic, also when there is an error. */
  readonly length: number;
  /** Whether the other side has sent FIN: its stream is complete. */
  readonly ended: boolean;
  /**
   * Why the connection has failed, or null. After an error the keys of both directions are wiped.
   */
  readonly error: RecordError | null;
}

/**
 * Computes how many bytes {@linkcode Channel.sealData} writes.
 *
 * @param length The length of the data, in bytes.
 */
export function sealedLength(length: number): number {
  return length + Math.ceil(length / MAX_BODY_BYTES) * RECORD_OVERHEAD_BYTES;
}

/**
 * An established connection, of [section 5](../../docs/protocol.md#5-stream): both sides have
 * proved that they hold the key.
 *
 * @example Sending bytes and the end of the stream
 * ```ts
 * const out = new Uint8Array(channel.sealedLength(data.length) + RECORD_OVERHEAD_BYTES);
 * const length = channel.sealData(data, out);
 * channel.sealFin(out, length);
 * socket.write(out);
 * ```
 *
 * @example Receiving
 * ```ts
 * const out = new Uint8Array(channel.capacityFor(chunk.length));
 * const { length, ended, error } = channel.open(chunk, out);
 * handle(out.subarray(0, length));
 * if (error !== null) throw new Error(`the connection is ${error}`);
 * if (ended) finish();
 * ```
 */
export class Channel {
  /** The longest body of one record, in bytes. */
  readonly maxBody = MAX_BODY_BYTES;
  readonly #send: CipherState;
  readonly #receive: CipherState;
  readonly #reader = new FrameReader();
  #finSent = false;
  #finReceived = false;
  #over = false;

  /**
   * @param send The cipher of this side's records; owned from now on.
   * @param receive The cipher of the other side's records; owned from now on.
   */
  constructor(send: CipherState, receive: CipherState) {
    this.#send = send;
    this.#receive = receive;
  }

  /**
   * Computes how many bytes {@linkcode sealData} writes.
   *
   * @param length The length of the data, in bytes.
   */
  sealedLength(length: number): number {
    return sealedLength(length);
  }

  /**
   * Encrypts data into as few DATA records as hold it.
   *
   * @param data When it is empty, nothing is written.
   * @param out Receives {@linkcode sealedLength} bytes. It must not overlap the data.
   * @param at The position of the first byte in `out`.
   * @returns The number of bytes written.
   * @throws {NoiseError} `exhausted`.
   * @throws {RangeError} When `out` is too short. No nonce is used.
   * @throws {Error} After {@linkcode sealFin}, or after the end of the channel.
   */
  sealData(data: Uint8Array, out: Uint8Array, at = 0): number {
    this.#requireSending();
    const length = sealedLength(data.length);
    if (out.length - at < length) throw new RangeError(`${length} bytes of space are needed`);
    let end = at;
    for (let from = 0; from < data.length; from += MAX_BODY_BYTES) {
      const body = data.subarray(from, from + MAX_BODY_BYTES);
      end += sealRecord(this.#send, RecordType.data, body, out, end);
    }
    return end - at;
  }

  /**
   * Encrypts FIN, the end of this side's stream. Nothing can be sent afterwards.
   *
   * @param out Receives {@linkcode RECORD_OVERHEAD_BYTES} bytes.
   * @param at The position of the first byte in `out`.
   * @returns The number of bytes written.
   * @throws {NoiseError} `exhausted`.
   * @throws {Error} After an earlier call, or after the end of the channel.
   */
  sealFin(out: Uint8Array, at = 0): number {
    this.#requireSending();
    const length = sealRecord(this.#send, RecordType.fin, NOTHING, out, at);
    this.#finSent = true;
    this.#send.wipe();
    return length;
  }

  /**
   * Computes how many bytes of space {@linkcode open} needs.
   *
   * @param length The length of the chunk, in bytes.
   */
  capacityFor(length: number): number {
    return this.#reader.held + length;
  }

  /**
   * Decrypts the records that a chunk completes.
   *
   * @param chunk The next bytes received. They may end anywhere in a record, and are not kept.
   * @param out Receives the plaintext, {@linkcode capacityFor} the chunk. It must not overlap it.
   * @param at The position of the first byte in `out`.
   * @throws {RangeError} When `out` is too short. Nothing is decrypted.
   * @throws {Error} After the end of the channel.
   */
  open(chunk: Uint8Array, out: Uint8Array, at = 0): OpenResult {
    this.#requireUse();
    const capacity = this.capacityFor(chunk.length);
    if (out.length - at < capacity) throw new RangeError(`${capacity} bytes of space are needed`);
    this.#reader.push(chunk);
    let end = at;
    try {
      while (!this.#finReceived) {
        const frame = this.#reader.frame(MIN_CIPHERTEXT_BYTES, MAX_CIPHERTEXT_BYTES);
        if (frame === null) return { length: end - at, ended: false, error: null };
        if (typeof frame === "string") return this.#fail(frame, end - at);
        const { type, body } = openRecord(this.#receive, frame);
        if (type === RecordType.data) {
          out.set(body, end);
          end += body.length;
          continue;
        }
        const error = this.#readControl(type, body);
        if (error !== null) return this.#fail(error, end - at);
      }
    } catch (error) {
      this.wipe();
      return this.#fail(protocolErrorOf(error, "corrupt"), end - at);
    }
    // FIN is the last record of a side: no byte may follow it.
    if (this.#reader.rest().length > 0) return this.#fail("unexpected", end - at);
    return { length: end - at, ended: true, error: null };
  }

  /**
   * Must be called at end-of-file of the received stream.
   *
   * @returns Null when FIN came before it; otherwise `truncated`, and the channel is over.
   * @throws {Error} After the end of the channel.
   */
  end(): RecordError | null {
    this.#requireUse();
    return this.#finReceived ? null : this.#fail("truncated", 0).error;
  }

  /** Ends the channel and wipes the keys. Every later use of it throws. */
  wipe(): void {
    this.#over = true;
    this.#send.wipe();
    this.#receive.wipe();
  }

  /** Reads a record that is not DATA. */
  #readControl(type: number, body: Uint8Array): RecordError | null {
    switch (type) {
      case RecordType.fin:
        if (body.length > 0) return "malformed";
        this.#finReceived = true;
        this.#receive.wipe();
        return null;
      // Both sides have read the other's greeting before there is a channel.
      case RecordType.hello:
      case RecordType.accept:
      case RecordType.reject:
        return "unexpected";
      default:
        return "malformed";
    }
  }

  #fail(error: RecordError, length: number): OpenResult {
    this.wipe();
    return { length, ended: this.#finReceived, error };
  }

  #requireUse(): void {
    if (this.#over) throw new Error("a channel was used after its end");
  }

  #requireSending(): void {
    this.#requireUse();
    if (this.#finSent) throw new Error("a channel was written to after FIN");
  }
}
