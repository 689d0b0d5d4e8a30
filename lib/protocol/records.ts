/**
 * The records of "IPCAUTH1": a length of two bytes, big-endian, and a ciphertext, whose plaintext is one
 * byte that says the type, and a body.
 *
 * @module
 */
import { type CipherState, MAX_MESSAGE } from "../noise/cipher_state.ts";
import { TAG_LENGTH } from "../noise/primitives.ts";
import { HEADER_LENGTH } from "./frame_reader.ts";

/** The first byte of a record's plaintext. */
export const RecordType = {
  /** Bytes of the stream. */
  data: 0,
  /** No more DATA from this side. */
  fin: 1,
  /** The client's first record: who it is, and whom it wants to act as. */
  hello: 2,
  /** The server's first record: the client is in. */
  accept: 3,
  /** The server's only record: the client is not. */
  reject: 4,
} as const;

/** One of the values of {@linkcode RecordType}. */
export type RecordType = typeof RecordType[keyof typeof RecordType];

/** Length of the type, in bytes. */
export const TYPE_LENGTH = 1;
/** By how much a record is longer than its body: length, type and tag. */
export const RECORD_OVERHEAD = HEADER_LENGTH + TYPE_LENGTH + TAG_LENGTH;
/** The shortest ciphertext of a record: that of a type without a body. */
export const MIN_CIPHERTEXT = TYPE_LENGTH + TAG_LENGTH;
/** The longest ciphertext of a record. */
export const MAX_CIPHERTEXT = MAX_MESSAGE;
/** The longest body of a record. */
export const MAX_BODY = MAX_CIPHERTEXT - TAG_LENGTH - TYPE_LENGTH;
/** The longest ciphertext of HELLO, ACCEPT and REJECT: the whole record fits into 4 KiB. */
export const MAX_GREETING_CIPHERTEXT = 4096 - HEADER_LENGTH;
/** The longest body of HELLO, ACCEPT and REJECT. */
export const MAX_GREETING_BODY = 4096 - RECORD_OVERHEAD;

const NO_AD = new Uint8Array(0);

/**
 * Seals one record.
 *
 * @param cipher The cipher of this direction.
 * @param body At most {@linkcode MAX_BODY} bytes.
 * @param out Receives the record from `at` on; must not overlap the body.
 * @returns How many bytes were written: {@linkcode RECORD_OVERHEAD} more than the body has.
 * @throws {NoiseFailure} `exhausted`.
 */
export function sealRecord(
  cipher: CipherState,
  type: RecordType,
  body: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const length = RECORD_OVERHEAD + body.length;
  if (body.length > MAX_BODY) throw new RangeError(`a record's body has at most ${MAX_BODY} bytes`);
  if (out.length - at < length) throw new RangeError(`${length} bytes of room are needed`);
  const ciphertext = length - HEADER_LENGTH;
  out[at] = ciphertext >> 8;
  out[at + 1] = ciphertext & 0xff;
  const start = at + HEADER_LENGTH;
  out[start] = type;
  out.set(body, start + TYPE_LENGTH);
  const plaintext = out.subarray(start, start + TYPE_LENGTH + body.length);
  return HEADER_LENGTH + cipher.encryptWithAd(NO_AD, plaintext, out, start);
}

/** A record that was authentic. Its type may be any byte: nobody has looked at it yet. */
export interface OpenedRecord {
  readonly type: number;
  readonly body: Uint8Array;
}

/**
 * Opens one record.
 *
 * @param cipher The cipher of this direction.
 * @param ciphertext At least {@linkcode MIN_CIPHERTEXT} bytes, without the length before them.
 * @throws {NoiseFailure} `unauthentic` or `exhausted`.
 */
export function openRecord(cipher: CipherState, ciphertext: Uint8Array): OpenedRecord {
  const plaintext = cipher.decryptWithAd(NO_AD, ciphertext);
  const type = plaintext[0];
  if (type === undefined) throw new RangeError("a record has a type");
  return { type, body: plaintext.subarray(TYPE_LENGTH) };
}
