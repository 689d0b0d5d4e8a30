/**
 * The SymmetricState of the Noise Protocol Framework, revision 34, section 5.2.
 *
 * @module
 */
import { CipherState } from "./cipher_state.ts";
import { HASH_LENGTH, hkdf, sha256 } from "./primitives.ts";

const NOTHING = new Uint8Array(0);

/**
 * The chaining key, the handshake hash and the cipher of a handshake, of the Noise specification's
 * [section 5.2](https://noiseprotocol.org/noise.html#the-symmetricstate-object).
 */
export class SymmetricState {
  readonly #cipher = new CipherState();
  readonly #chainingKey: Uint8Array;
  #hash: Uint8Array;

  /**
   * `InitializeSymmetric(protocol_name)`.
   *
   * @param protocolName More than 32 ASCII characters: the handshake hash starts with its hash.
   * @throws {RangeError} When it is shorter.
   */
  constructor(protocolName: string) {
    if (protocolName.length <= HASH_LENGTH) throw new RangeError("the protocol name is too short");
    this.#hash = sha256(new TextEncoder().encode(protocolName));
    this.#chainingKey = new Uint8Array(this.#hash);
  }

  /** `MixKey(input_key_material)`. */
  mixKey(input: Uint8Array): void {
    const outputs = hkdf(this.#chainingKey, input, 2);
    this.#chainingKey.set(outputs.subarray(0, 32));
    this.#cipher.initializeKey(outputs.subarray(32, 64));
    outputs.fill(0);
  }

  /** `MixHash(data)`. */
  mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  /** `MixKeyAndHash(input_key_material)`. */
  mixKeyAndHash(input: Uint8Array): void {
    const outputs = hkdf(this.#chainingKey, input, 3);
    this.#chainingKey.set(outputs.subarray(0, 32));
    this.mixHash(outputs.subarray(32, 64));
    this.#cipher.initializeKey(outputs.subarray(64, 96));
    outputs.fill(0);
  }

  /** `GetHandshakeHash()`: 32 bytes. */
  getHandshakeHash(): Uint8Array {
    return new Uint8Array(this.#hash);
  }

  /**
   * `EncryptAndHash(plaintext)`.
   *
   * @param plaintext At most 65,519 bytes.
   * @param out Receives the ciphertext and the tag.
   * @param at The position of the first byte in `out`.
   * @returns The number of bytes written: 16 more than the plaintext has.
   */
  encryptAndHash(plaintext: Uint8Array, out: Uint8Array, at: number): number {
    const length = this.#cipher.encryptWithAd(this.#hash, plaintext, out, at);
    this.mixHash(out.subarray(at, at + length));
    return length;
  }

  /**
   * `DecryptAndHash(ciphertext)`.
   *
   * @param ciphertext From the peer.
   * @returns The plaintext.
   * @throws {NoiseError} `unauthentic` or `malformed`.
   */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.#cipher.decryptWithAd(this.#hash, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /**
   * `Split()`. The state is wiped.
   *
   * @returns The cipher of the initiator's messages, then that of the responder's.
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

  /** Wipes the keys. */
  wipe(): void {
    this.#chainingKey.fill(0);
    this.#cipher.wipe();
  }
}
