/**
 * The records of "IPCAUTH1": a length of 2 bytes, big-endian, and a ciphertext. The plaintext is
 * one byte, the type, and a body.
 *
 * Specified in [section 3 of docs/protocol.md](../../docs/protocol.md#3-records).
 *
 * @module
 */
import { type CipherState, MAX_MESSAGE_BYTES } from "../noise/cipher_state.ts";
import { TAG_LENGTH } from "../noise/primitives.ts";
import { HEADER_LENGTH } from "./frame_reader.ts";

/**
 * The first byte of a record's plaintext, of
 * [section 3](../../docs/protocol.md#3-records).
 */
export const RecordType = {
  /** Bytes of the stream. */
  data: 0,
  /** The end of this side's stream. */
  fin: 1,
  /** The client's first record: its program, and the user that it wants to act as. */
  hello: 2,
  /** The server's first record: the client is authorized. */
  accept: 3,
  /** The server's only record: the client is denied. */
  reject: 4,
} as const;

/** One of the values of {@linkcode RecordType}. */
export type RecordType = typeof RecordType[keyof typeof RecordType];

const TYPE_LENGTH = 1;
/** How much longer a record is than its body, in bytes: length, type and tag. */
export const RECORD_OVERHEAD_BYTES = HEADER_LENGTH + TYPE_LENGTH + TAG_LENGTH;
/** The shortest ciphertext of a record, in bytes: that of an empty body. */
export const MIN_CIPHERTEXT_BYTES = TYPE_LENGTH + TAG_LENGTH;
/** The longest ciphertext of a record, in bytes. */
export const MAX_CIPHERTEXT_BYTES = MAX_MESSAGE_BYTES;
/** The longest body of a record, in bytes. */
export const MAX_BODY_BYTES = MAX_CIPHERTEXT_BYTES - TAG_LENGTH - TYPE_LENGTH;
/** The longest record of type HELLO, ACCEPT or REJECT, in bytes, its length included. */
const MAX_GREETING_BYTES = 4096;
/** The longest ciphertext of HELLO, ACCEPT and REJECT, in bytes. */
export const MAX_GREETING_CIPHERTEXT_BYTES = MAX_GREETING_BYTES - HEADER_LENGTH;
/** The longest body of HELLO, ACCEPT and REJECT, in bytes. */
export const MAX_GREETING_BODY_BYTES = MAX_GREETING_BYTES - RECORD_OVERHEAD_BYTES;

const NO_AD = new Uint8Array(0);

/**
 * Encrypts one record.
 *
 * @param cipher The cipher of this direction.
 * @param type The type.
 * @param body At most {@linkcode MAX_BODY_BYTES} bytes.
 * @param out Receives the record. It must not overlap the body.
 * @param at The position of the first byte in `out`.
 * @returns The number of bytes written: {@linkcode RECORD_OVERHEAD_BYTES} more than the body has.
 * @throws {NoiseError} `exhausted`.
 * @throws {RangeError} When the body is longer, or `out` is too short. No nonce is used.
 */
export function sealRecord(
  cipher: CipherState,
  type: RecordType,
  body: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const length = RECORD_OVERHEAD_BYTES + body.length;
  if (body.length > MAX_BODY_BYTES) {
    throw new RangeError(`a record's body has at most ${MAX_BODY_BYTES} bytes`);
  }
  if (out.length - at < length) throw new RangeError(`${length} bytes of space are needed`);
  const ciphertext = length - HEADER_LENGTH;
  out[at] = ciphertext >> 8;
  out[at + 1] = ciphertext & 0xff;
  const start = at + HEADER_LENGTH;
  out[start] = type;
  out.set(body, start + TYPE_LENGTH);
  const plaintext = out.subarray(start, start + TYPE_LENGTH + body.length);
  return HEADER_LENGTH + cipher.encryptWithAd(NO_AD, plaintext, out, start);
}

/** A decrypted record, of [section 3](../../docs/protocol.md#3-records). */
export interface OpenedRecord {
  /** Any byte: the type is authentic, but need not be known. */
  readonly type: number;
  readonly body: Uint8Array;
}

/**
 * Decrypts one record.
 *
 * @param cipher The cipher of this direction.
 * @param ciphertext The record without its length, at least {@linkcode MIN_CIPHERTEXT_BYTES} bytes.
 * @throws {NoiseError} `unauthentic` or `exhausted`.
 */
export function openRecord(cipher: CipherState, ciphertext: Uint8Array): OpenedRecord {
  const plaintext = cipher.decryptWithAd(NO_AD, ciphertext);
  const type = plaintext[0];
  if (type === undefined) throw new RangeError("a record has a type");
  return { type, body: plaintext.subarray(TYPE_LENGTH) };
}
