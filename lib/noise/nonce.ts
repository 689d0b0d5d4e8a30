/**
 * The counter that makes every use of a key different.
 *
 * @module
 */
import { NoiseFailure } from "./noise_failure.ts";

const HALF = 0xffff_ffff;

/**
 * A 64-bit counter that neither repeats nor wraps. It is kept in two halves of 32 bits: a JavaScript
 * number would begin to skip and repeat beyond 2^53.
 */
export class Nonce {
  readonly #bytes = new Uint8Array(12);
  readonly #view = new DataView(this.#bytes.buffer);
  #low: number;
  #high: number;

  /** @param first The first value to be claimed. */
  constructor(first = 0n) {
    if (first < 0n || BigInt.asUintN(64, first) !== first) {
      throw new RangeError("a nonce has 64 bits");
    }
    this.#low = Number(first & 0xffff_ffffn);
    this.#high = Number(first >> 32n);
  }

  /**
   * Takes the next value; no later call gives it again.
   *
   * @returns 12 bytes as ChaCha20-Poly1305 wants them, valid until the next call.
   * @throws {NoiseFailure} `exhausted` at 2^64−1, which Noise keeps for itself (section 5.1).
   */
  claim(): Uint8Array {
    if (this.#low === HALF && this.#high === HALF) throw new NoiseFailure("exhausted");
    this.#view.setUint32(4, this.#low, true);
    this.#view.setUint32(8, this.#high, true);
    if (this.#low === HALF) {
      this.#low = 0;
      this.#high++;
    } else {
      this.#low++;
    }
    return this.#bytes;
  }
}
