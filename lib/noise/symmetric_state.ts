/**
 * The SymmetricState of the Noise Protocol Framework, revision 34, section 5.2.
 *
 * @module
 */
import { CipherState } from "./cipher_state.ts";
import { HASH_LENGTH, hkdf, sha256 } from "./primitives.ts";

const NOTHING = new Uint8Array(0);

/** The chaining key, the running hash of all that was said, and the cipher of the handshake. */
export class SymmetricState {
  readonly #cipher = new CipherState();
  readonly #chainingKey: Uint8Array;
  #hash: Uint8Array;

  /**
   * InitializeSymmetric.
   *
   * @param protocolName Longer than 32 ASCII characters, so that its hash stands for it.
   */
  constructor(protocolName: string) {
    if (protocolName.length <= HASH_LENGTH) throw new RangeError("the protocol name is too short");
    this.#hash = sha256(new TextEncoder().encode(protocolName));
    this.#chainingKey = new Uint8Array(this.#hash);
  }

  /** MixKey. */
  mixKey(input: Uint8Array): void {
    const outputs = hkdf(this.#chainingKey, input, 2);
    this.#chainingKey.set(outputs.subarray(0, 32));
    this.#cipher.initializeKey(outputs.subarray(32, 64));
    outputs.fill(0);
  }

  /** MixHash. */
  mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  /** MixKeyAndHash. */
  mixKeyAndHash(input: Uint8Array): void {
    const outputs = hkdf(this.#chainingKey, input, 3);
    this.#chainingKey.set(outputs.subarray(0, 32));
    this.mixHash(outputs.subarray(32, 64));
    this.#cipher.initializeKey(outputs.subarray(64, 96));
    outputs.fill(0);
  }

  /** GetHandshakeHash. */
  getHandshakeHash(): Uint8Array {
    return new Uint8Array(this.#hash);
  }

  /**
   * EncryptAndHash.
   *
   * @returns How many bytes were written to `out` from `at` on.
   */
  encryptAndHash(plaintext: Uint8Array, out: Uint8Array, at: number): number {
    const length = this.#cipher.encryptWithAd(this.#hash, plaintext, out, at);
    this.mixHash(out.subarray(at, at + length));
    return length;
  }

  /**
   * DecryptAndHash.
   *
   * @returns The plaintext.
   * @throws {NoiseFailure} `unauthentic` or `malformed`.
   */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipher.decryptWithAd(this.#hash, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /**
   * Split, and the end of this state.
   *
   * @returns The cipher of the initiator's messages and that of the responder's.
   */
  split(): readonly [CipherState, CipherState] {
    const outputs = hkdf(this.#chainingKey, NOTHING, 2);
    const initiator = new CipherState();
    const responder = new CipherState();
    initiator.initializeKey(outputs.subarray(0, 32));
    responder.initializeKey(outputs.subarray(32, 64));
    outputs.fill(0);
    this.wipe();
    return [initiator, responder];
  }

  /** Forgets the keys. */
  wipe(): void {
    this.#chainingKey.fill(0);
    this.#cipher.wipe();
  }
}
