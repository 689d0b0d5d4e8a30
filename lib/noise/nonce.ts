/**
 * The nonce of a cipher key: Noise Protocol Framework, revision 34, sections 5.1 and 12.3.
 *
 * @module
 */
import { NoiseError } from "./noise_error.ts";

const MAX_HALF = 0xffff_ffff;

/**
 * A 64-bit counter that neither repeats nor wraps. It is kept in two halves of 32 bits, because a
 * JavaScript number counts exactly up to 2^53 only.
 */
export class Nonce {
  readonly #bytes = new Uint8Array(12);
  readonly #view = new DataView(this.#bytes.buffer);
  #low: number;
  #high: number;

  /**
   * @param first The first value.
   * @throws {RangeError} When it is negative or has more than 64 bits.
   */
  constructor(first = 0n) {
    if (first < 0n || BigInt.asUintN(64, first) !== first) {
      throw new RangeError("a nonce has 64 bits");
    }
    this.#low = Number(first & 0xffff_ffffn);
    this.#high = Number(first >> 32n);
  }

  /**
   * Returns the next value, which no later call returns.
   *
   * @returns 12 bytes, valid until the next call: four zeros and the counter, little-endian.
   * @throws {NoiseError} `exhausted` at 2^64−1, which section 5.1 reserves.
   */
  claim(): Uint8Array {
    if (this.#low === MAX_HALF && this.#high === MAX_HALF) throw new NoiseError("exhausted");
    this.#view.setUint32(4, this.#low, true);
    this.#view.setUint32(8, this.#high, true);
    if (this.#low === MAX_HALF) {
      this.#low = 0;
      this.#high++;
    } else {
      this.#low++;
    }
    return this.#bytes;
  }
}
