/**
 * The stream after the handshake: DATA and FIN, both ways.
 *
 * @module
 */
import type { CipherState } from "../noise/cipher_state.ts";
import { FrameReader } from "./frame_reader.ts";
import {
  MAX_BODY,
  MAX_CIPHERTEXT,
  MIN_CIPHERTEXT,
  openRecord,
  RECORD_OVERHEAD,
  RecordType,
  sealRecord,
} from "./records.ts";
import { type ProtocolError, protocolErrorOf } from "./protocol_error.ts";

const NOTHING = new Uint8Array(0);

/** What became of a chunk of the received stream. */
export interface Opened {
  /** How many bytes of plaintext were written; they are authentic, whatever else happened. */
  readonly length: number;
  /** Whether the other side has said that nothing more comes. */
  readonly ended: boolean;
  /** Why the connection is over, or null. Both directions are then; the keys are wiped. */
  readonly refusal: ProtocolError | null;
}

/**
 * How many bytes {@linkcode Channel.sealData} makes of some data.
 *
 * @param length Of the data, in bytes.
 */
export function sealedLength(length: number): number {
  return length + Math.ceil(length / MAX_BODY) * RECORD_OVERHEAD;
}

/** A connection whose two ends know that they hold the same key. */
export class Channel {
  /** The most data that one record holds, in bytes. */
  readonly maxBody = MAX_BODY;
  readonly #send: CipherState;
  readonly #receive: CipherState;
  readonly #reader = new FrameReader();
  #finSent = false;
  #finReceived = false;
  #over = false;

  /** @param send The cipher of what we say. @param receive The cipher of what they say. */
  constructor(send: CipherState, receive: CipherState) {
    this.#send = send;
    this.#receive = receive;
  }

  /** How long some data is when sealed, in bytes. */
  sealedLength(length: number): number {
    return sealedLength(length);
  }

  /**
   * Seals data into as few records as hold it.
   *
   * @param data May be empty; then nothing is written.
   * @param out Receives the records from `at` on, {@linkcode sealedLength} bytes; must not overlap the data.
   * @returns How many bytes were written.
   * @throws {NoiseFailure} `exhausted`.
   */
  sealData(data: Uint8Array, out: Uint8Array, at = 0): number {
    this.#requireSending();
    const length = sealedLength(data.length);
    if (out.length - at < length) throw new RangeError(`${length} bytes of room are needed`);
    let end = at;
    for (let from = 0; from < data.length; from += MAX_BODY) {
      const body = data.subarray(from, from + MAX_BODY);
      end += sealRecord(this.#send, RecordType.data, body, out, end);
    }
    return end - at;
  }

  /**
   * Seals the end of our side. Nothing can be sent afterwards.
   *
   * @param out Receives {@linkcode RECORD_OVERHEAD} bytes from `at` on.
   * @returns How many bytes were written.
   */
  sealFin(out: Uint8Array, at = 0): number {
    this.#requireSending();
    const length = sealRecord(this.#send, RecordType.fin, NOTHING, out, at);
    this.#finSent = true;
    this.#send.wipe();
    return length;
  }

  /** How much room {@linkcode open} needs for a chunk of so many bytes. */
  roomFor(length: number): number {
    return this.#reader.held + length;
  }

  /**
   * Opens whatever records a chunk completes.
   *
   * @param chunk The next bytes received, cut anywhere. Not kept.
   * @param out Receives the plaintext from `at` on; {@linkcode roomFor} the chunk; must not overlap it.
   */
  open(chunk: Uint8Array, out: Uint8Array, at = 0): Opened {
    if (this.#over) throw new Error("a channel was used after its end");
    if (out.length - at < this.roomFor(chunk.length)) {
      throw new RangeError(`${this.roomFor(chunk.length)} bytes of room are needed`);
    }
    this.#reader.push(chunk);
    let end = at;
    try {
      while (!this.#finReceived) {
        const frame = this.#reader.frame(MIN_CIPHERTEXT, MAX_CIPHERTEXT);
        if (frame === null) return { length: end - at, ended: false, refusal: null };
        if (typeof frame === "string") return this.#refuse(frame, end - at);
        const { type, body } = openRecord(this.#receive, frame);
        if (type === RecordType.data) {
          out.set(body, end);
          end += body.length;
          continue;
        }
        const refusal = this.#judge(type, body);
        if (refusal !== null) return this.#refuse(refusal, end - at);
      }
    } catch (error) {
      this.wipe();
      return this.#refuse(protocolErrorOf(error, "corrupt"), end - at);
    }
    // FIN was the last word: one byte more, of whatever kind, is one too many.
    if (this.#reader.rest().length > 0) return this.#refuse("unexpected", end - at);
    return { length: end - at, ended: true, refusal: null };
  }

  /**
   * End-of-file on the received stream.
   *
   * @returns Null when FIN came before it; otherwise why the connection is over.
   */
  end(): ProtocolError | null {
    if (this.#over) throw new Error("a channel was used after its end");
    return this.#finReceived ? null : this.#refuse("truncated", 0).refusal;
  }

  /** Forgets the keys. Whoever uses the channel afterwards gets an exception. */
  wipe(): void {
    this.#over = true;
    this.#send.wipe();
    this.#receive.wipe();
  }

  /** A record that is not DATA. */
  #judge(type: number, body: Uint8Array): ProtocolError | null {
    switch (type) {
      case RecordType.fin:
        if (body.length > 0) return "malformed";
        this.#finReceived = true;
        this.#receive.wipe();
        return null;
      // The greetings are over on both sides before there is a channel.
      case RecordType.hello:
      case RecordType.accept:
      case RecordType.reject:
        return "unexpected";
      default:
        return "malformed";
    }
  }

  #refuse(refusal: ProtocolError, length: number): Opened {
    this.wipe();
    return { length, ended: this.#finReceived, refusal };
  }

  #requireSending(): void {
    if (this.#over) throw new Error("a channel was used after its end");
    if (this.#finSent) throw new Error("a channel was written to after FIN");
  }
}
