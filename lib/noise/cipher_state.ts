/**
 * The CipherState of the Noise Protocol Framework, revision 34, section 5.1.
 *
 * @module
 */
import { Nonce } from "./nonce.ts";
import { NoiseError } from "./noise_error.ts";
import { HASH_LENGTH, open, seal, TAG_LENGTH } from "./primitives.ts";

/** The longest Noise message, in bytes: section 3. */
export const MAX_MESSAGE_BYTES = 65535;

/**
 * A cipher key and its nonce, of the Noise specification's
 * [section 5.1](https://noiseprotocol.org/noise.html#the-cipherstate-object).
 *
 * Unlike the specification's, it throws when it has no key, instead of returning the plaintext:
 * this program sends no Noise payload in clear.
 */
export class CipherState {
  #key: Uint8Array | null = null;
  #nonce = new Nonce();

  /**
   * `InitializeKey(key)`.
   *
   * @param key 32 bytes, copied.
   * @param nonce The first nonce; that of the specification is 0.
   * @throws {RangeError} When the key has another length.
   */
  initializeKey(key: Uint8Array, nonce: Nonce = new Nonce()): void {
    if (key.length !== HASH_LENGTH) throw new RangeError(`a cipher key has ${HASH_LENGTH} bytes`);
    this.wipe();
    // Not slice(): that of a Buffer shares the memory, and wiping would reach the caller's.
    this.#key = new Uint8Array(key);
    this.#nonce = nonce;
  }

  /**
   * `EncryptWithAd(ad, plaintext)`.
   *
   * @param ad Associated data, of any length.
   * @param plaintext At most 65,519 bytes. It may lie in `out`, from `at` on.
   * @param out Receives the ciphertext and the tag.
   * @param at The position of the first byte in `out`.
   * @returns The number of bytes written: 16 more than the plaintext has.
   * @throws {NoiseError} `exhausted`; the key is wiped.
   * @throws {RangeError} When the plaintext is longer, or `out` is too short. No nonce is used.
   */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, at = 0): number {
    const key = this.#keyInUse();
    const length = plaintext.length + TAG_LENGTH;
    if (length > MAX_MESSAGE_BYTES) {
      throw new RangeError(`a message has at most ${MAX_MESSAGE_BYTES} bytes`);
    }
    if (out.length - at < length) throw new RangeError(`${length} bytes of space are needed`);
    return seal(key, this.#claim(), ad, plaintext, out, at);
  }

  /**
   * `DecryptWithAd(ad, ciphertext)`. Unlike the specification's, a failure is final.
   *
   * @param ad Associated data, of any length.
   * @param ciphertext From the peer.
   * @returns The plaintext, 16 bytes fewer than the ciphertext has, in memory of its own.
   * @throws {NoiseError} `unauthentic`, `malformed` or `exhausted`; the key is wiped.
   */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    const key = this.#keyInUse();
    if (ciphertext.length < TAG_LENGTH || ciphertext.length > MAX_MESSAGE_BYTES) {
      throw this.#fail(new NoiseError("malformed"));
    }
    const plaintext = open(key, this.#claim(), ad, ciphertext);
    if (plaintext === null) throw this.#fail(new NoiseError("unauthentic"));
    return plaintext;
  }

  /** Wipes the key. Every later use of the state throws. */
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
