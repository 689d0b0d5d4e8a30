/**
 * The CipherState of the Noise Protocol Framework, revision 34, section 5.1.
 *
 * @module
 */
import { Nonce } from "./nonce.ts";
import { NoiseFailure } from "./noise_failure.ts";
import { HASH_LENGTH, open, seal, TAG_LENGTH } from "./primitives.ts";

/** The longest Noise message, in bytes (section 3). */
export const MAX_MESSAGE = 65535;

/**
 * A key and its nonces. Narrower than the specification on purpose: without a key it does not pass
 * plaintext through but throws, since nothing in this program is ever to be sent in clear.
 */
export class CipherState {
  #key: Uint8Array | null = null;
  #nonce = new Nonce();

  /**
   * InitializeKey.
   *
   * @param key 32 bytes; copied.
   * @param nonce Where to begin to count.
   */
  initializeKey(key: Uint8Array, nonce: Nonce = new Nonce()): void {
    if (key.length !== HASH_LENGTH) throw new RangeError(`a cipher key has ${HASH_LENGTH} bytes`);
    this.wipe();
    // Not slice(): that of a Buffer shares the memory, and wiping would reach the caller's.
    this.#key = new Uint8Array(key);
    this.#nonce = nonce;
  }

  /** HasKey. */
  hasKey(): boolean {
    return this.#key !== null;
  }

  /**
   * EncryptWithAd.
   *
   * @param ad Associated data.
   * @param plaintext At most 65,519 bytes; may lie in `out`, at the place where the ciphertext goes.
   * @param out Receives ciphertext and tag from `at` on.
   * @returns How many bytes were written: 16 more than the plaintext has.
   * @throws {NoiseFailure} `exhausted`; the key is wiped then.
   */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at = 0): number {
    const key = this.#keyInUse();
    const length = plaintext.length + TAG_LENGTH;
    if (length > MAX_MESSAGE) throw new RangeError(`a message has at most ${MAX_MESSAGE} bytes`);
    if (out.length - at < length) throw new RangeError(`${length} bytes of room are needed`);
    return seal(key, this.#claim(), ad, plaintext, out, at);
  }

  /**
   * DecryptWithAd. A failure is final.
   *
   * @param ad Associated data.
   * @param ciphertext Not trusted.
   * @returns The plaintext, 16 bytes fewer, in memory of its own.
   * @throws {NoiseFailure} `unauthentic`, `malformed` or `exhausted`; the key is wiped then.
   */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    const key = this.#keyInUse();
    if (ciphertext.length < TAG_LENGTH || ciphertext.length > MAX_MESSAGE) {
      throw this.#fail(new NoiseFailure("malformed"));
    }
    const plaintext = open(key, this.#claim(), ad, ciphertext);
    if (plaintext === null) throw this.#fail(new NoiseFailure("unauthentic"));
    return plaintext;
  }

  /** Forgets the key; whoever uses the state afterwards gets an exception. */
  wipe(): void {
    this.#key?.fill(0);
    this.#key = null;
  }

  #keyInUse(): Uint8Array {
    if (this.#key === null) throw new Error("a cipher state was used without a key");
    return this.#key;
  }

  #claim(): Uint8Array {
    try {
      return this.#nonce.claim();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #fail(error: unknown): unknown {
    this.wipe();
    return error;
  }
}
