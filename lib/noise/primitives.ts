/**
 * The cryptographic functions of the Noise protocol, and the program's only import of the runtime's
 * cryptography: random bytes, SHA-256, HKDF, X25519 and ChaCha20-Poly1305.
 *
 * The runtime copies some secrets into memory of its own: the private key of an ephemeral pair, and
 * the key of a cipher during a call. These copies cannot be wiped from here.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type * as Crypto from "node:crypto";
import process from "node:process";
import { NoiseError } from "./noise_error.ts";

let loaded: typeof Crypto | null = null;

/**
 * Loads `node:crypto` at its first use: it takes longer to load than the rest of a server, and a
 * server with Unix sockets only does not use it.
 */
function crypto(): typeof Crypto {
  return loaded ??= process.getBuiltinModule("node:crypto");
}

/** Length of a hash (`HASHLEN`), a chaining key, a pre-shared key and a cipher key, in bytes. */
export const HASH_LENGTH = 32;
/** Length of an X25519 public key, private key and shared secret (`DHLEN`), in bytes. */
export const DH_LENGTH = 32;
/** Length of the Poly1305 tag that follows a ciphertext, in bytes. */
export const TAG_LENGTH = 16;

const NOTHING = new Uint8Array(0);
const CIPHER = "chacha20-poly1305";
const CIPHER_OPTIONS = { authTagLength: TAG_LENGTH } as const;
/** The DER bytes before the 32 bytes of a SubjectPublicKeyInfo and of a PKCS #8 key: RFC 8410. */
const SPKI_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 110, 3, 33, 0);
const PKCS8_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/**
 * Returns random bytes of the runtime's cryptographic generator.
 *
 * @param length In bytes.
 */
export function randomBytes(length: number): Uint8Array {
  return crypto().randomFillSync(new Uint8Array(length));
}

/**
 * SHA-256 (FIPS 180-4) of `first ‖ second`.
 *
 * @returns 32 bytes.
 */
export function sha256(first: Uint8Array, second: Uint8Array = NOTHING): Uint8Array {
  return crypto().createHash("sha256").update(first).update(second).digest();
}

/**
 * `HKDF()` of section 4.3: that of RFC 5869 with the chaining key as salt and an empty info.
 *
 * @param chainingKey 32 bytes.
 * @param input Input key material: empty or 32 bytes.
 * @param outputs The number of outputs of 32 bytes.
 * @returns The outputs, one after the other. The caller wipes them.
 */
export function hkdf(chainingKey: Uint8Array, input: Uint8Array, outputs: 2 | 3): Uint8Array {
  const length = outputs * HASH_LENGTH;
  return new Uint8Array(crypto().hkdfSync("sha256", input, chainingKey, NOTHING, length));
}

/** An X25519 key pair (RFC 7748). */
export class KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #privateKey: Crypto.KeyObject;

  private constructor(publicKey: Crypto.KeyObject, privateKey: Crypto.KeyObject) {
    const der = publicKey.export({ type: "spki", format: "der" });
    this.publicKey = new Uint8Array(der.subarray(SPKI_PREFIX.length));
    this.#privateKey = privateKey;
  }

  /** Generates a pair. */
  static generate(): KeyPair {
    const { publicKey, privateKey } = crypto().generateKeyPairSync("x25519");
    return new KeyPair(publicKey, privateKey);
  }

  /**
   * Makes the pair of a private key.
   *
   * @param bytes 32 bytes.
   * @throws {RangeError} When they are more or fewer.
   */
  static fromPrivateKey(bytes: Uint8Array): KeyPair {
    requireLength("private key", bytes, DH_LENGTH);
    const key = joined(PKCS8_PREFIX, bytes);
    const privateKey = crypto().createPrivateKey({ key, format: "der", type: "pkcs8" });
    key.fill(0);
    return new KeyPair(crypto().createPublicKey(privateKey), privateKey);
  }

  /**
   * `DH(key_pair, public_key)` of section 4.1.
   *
   * @param remotePublicKey 32 bytes from the peer.
   * @returns The shared secret, 32 bytes. The caller wipes it.
   * @throws {NoiseError} `weak-key` when the secret does not depend on this pair's private key.
   * @throws {RangeError} When the public key has another length.
   */
  agree(remotePublicKey: Uint8Array): Uint8Array {
    requireLength("public key", remotePublicKey, DH_LENGTH);
    const key = joined(SPKI_PREFIX, remotePublicKey);
    let secret: Uint8Array;
    try {
      const publicKey = crypto().createPublicKey({ key, format: "der", type: "spki" });
      secret = crypto().diffieHellman({ privateKey: this.#privateKey, publicKey });
    } catch (cause) {
      // The runtime fails for an all-zero secret, and for no other reason: the DER is well-formed.
      throw new NoiseError("weak-key", cause);
    }
    return requireContributory(secret);
  }
}

/**
 * Checks that a shared secret is not all zeros (RFC 7748, section 6.1), independently of the
 * runtime's own check.
 *
 * @returns The secret.
 * @throws {NoiseError} `weak-key`.
 */
export function requireContributory(secret: Uint8Array): Uint8Array {
  let bits = 0;
  for (const byte of secret) bits |= byte;
  if (bits === 0) throw new NoiseError("weak-key");
  return secret;
}

/**
 * Encrypts with ChaCha20-Poly1305 (RFC 8439): `ENCRYPT()` of sections 4.2 and 12.3.
 *
 * @param key 32 bytes.
 * @param nonce 12 bytes: four zeros and a 64-bit little-endian counter.
 * @param ad Associated data, may be empty.
 * @param plaintext May lie in `out`, from `at` on.
 * @param out Receives the ciphertext and the tag.
 * @param at The position of the first byte in `out`.
 * @returns The number of bytes written: 16 more than the plaintext has.
 */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  plaintext: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  const cipher = crypto().createCipheriv(CIPHER, key, nonce, CIPHER_OPTIONS);
  if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.length });
  if (plaintext.length > 0) out.set(cipher.update(plaintext), at);
  cipher.final();
  out.set(cipher.getAuthTag(), at + plaintext.length);
  return plaintext.length + TAG_LENGTH;
}

/**
 * Decrypts with ChaCha20-Poly1305 (RFC 8439): `DECRYPT()` of sections 4.2 and 12.3. No plaintext is
 * returned unless the tag is verified.
 *
 * @param key 32 bytes.
 * @param nonce 12 bytes, as for {@linkcode seal}.
 * @param ad Associated data, may be empty.
 * @param ciphertext At least 16 bytes.
 * @returns The plaintext in memory of its own, or null when the ciphertext is not authentic.
 */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | null {
  const length = ciphertext.length - TAG_LENGTH;
  const decipher = crypto().createDecipheriv(CIPHER, key, nonce, CIPHER_OPTIONS);
  let plaintext: Uint8Array = NOTHING;
  try {
    decipher.setAuthTag(ciphertext.subarray(length));
    if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length });
    if (length > 0) plaintext = decipher.update(ciphertext.subarray(0, length));
    decipher.final();
    return plaintext;
  } catch {
    // The tag is not verified. No reason is returned, because it could only help to forge one.
    return null;
  }
}

function joined(prefix: Uint8Array, bytes: Uint8Array): Buffer {
  return Buffer.concat([prefix, bytes]);
}

function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`a ${what} has ${length} bytes`);
}
