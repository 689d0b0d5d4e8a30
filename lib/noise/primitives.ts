/**
 * The door to the cryptography of the runtime, and the only import of it: random bytes, SHA-256, HKDF,
 * X25519, ChaCha20-Poly1305. Everything above speaks `Uint8Array`.
 *
 * What the runtime copies into its own memory (the private half of an ephemeral key, the key of a
 * cipher in use) cannot be wiped from here; it is short-lived and dropped.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type * as Crypto from "node:crypto";
import process from "node:process";
import { NoiseFailure } from "./noise_failure.ts";

let loaded: typeof Crypto | null = null;

/** Takes longer to load than all the rest of a server, and one that listens on Unix sockets alone never needs it. */
function crypto(): typeof Crypto {
  return loaded ??= process.getBuiltinModule("node:crypto");
}

/** Length of a hash, a chaining key, a pre-shared key and a cipher key, in bytes. */
export const HASH_LENGTH = 32;
/** Length of an X25519 public key, private key and shared secret, in bytes. */
export const DH_LENGTH = 32;
/** How much longer a ciphertext is than its plaintext: the Poly1305 tag, in bytes. */
export const TAG_LENGTH = 16;

const NOTHING = new Uint8Array(0);
const CIPHER = "chacha20-poly1305";
const CIPHER_OPTIONS = { authTagLength: TAG_LENGTH } as const;
/** RFC 8410: what stands before the 32 bytes in DER, as SubjectPublicKeyInfo and as PKCS #8. */
const SPKI_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 110, 3, 33, 0);
const PKCS8_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/** Bytes from the kernel's generator. */
export function randomBytes(length: number): Uint8Array {
  return crypto().randomFillSync(new Uint8Array(length));
}

/** SHA-256 (FIPS 180-4) of `first ‖ second`. */
export function sha256(first: Uint8Array, second: Uint8Array = NOTHING): Uint8Array {
  return crypto().createHash("sha256").update(first).update(second).digest();
}

/**
 * HKDF of Noise section 4.3, which is that of RFC 5869 with the chaining key as salt and no info.
 *
 * @param chainingKey 32 bytes.
 * @param input Input key material: empty or 32 bytes.
 * @param outputs How many outputs of 32 bytes.
 * @returns The outputs one after the other, for the caller to wipe.
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

  /** A new pair. */
  static generate(): KeyPair {
    const { publicKey, privateKey } = crypto().generateKeyPairSync("x25519");
    return new KeyPair(publicKey, privateKey);
  }

  /** The pair of a known private key of 32 bytes. */
  static fromPrivateKey(bytes: Uint8Array): KeyPair {
    requireLength("private key", bytes, DH_LENGTH);
    const key = joined(PKCS8_PREFIX, bytes);
    const privateKey = crypto().createPrivateKey({ key, format: "der", type: "pkcs8" });
    key.fill(0);
    return new KeyPair(crypto().createPublicKey(privateKey), privateKey);
  }

  /**
   * The shared secret with the holder of another public key.
   *
   * @param theirs 32 bytes; not trusted.
   * @returns 32 bytes, for the caller to wipe.
   * @throws {NoiseFailure} `weak-key` when the secret does not depend on our key.
   */
  agree(theirs: Uint8Array): Uint8Array {
    requireLength("public key", theirs, DH_LENGTH);
    const key = joined(SPKI_PREFIX, theirs);
    let secret: Uint8Array;
    try {
      const publicKey = crypto().createPublicKey({ key, format: "der", type: "spki" });
      secret = crypto().diffieHellman({ privateKey: this.#privateKey, publicKey });
    } catch (cause) {
      // The runtime refuses the all-zero secret itself, and has no other reason to fail here.
      throw new NoiseFailure("weak-key", cause);
    }
    return requireContributory(secret);
  }
}

/**
 * Refuses the all-zero shared secret (RFC 7748, section 6.1), whatever the runtime thinks of it.
 *
 * @returns The secret.
 * @throws {NoiseFailure} `weak-key`.
 */
export function requireContributory(secret: Uint8Array): Uint8Array {
  let bits = 0;
  for (const byte of secret) bits |= byte;
  if (bits === 0) throw new NoiseFailure("weak-key");
  return secret;
}

/**
 * ChaCha20-Poly1305 (RFC 8439).
 *
 * @param key 32 bytes.
 * @param nonce 12 bytes: four zeros and a 64-bit little-endian counter (Noise section 12.3).
 * @param ad Associated data, may be empty.
 * @param plaintext May lie in `out`, at the very place where the ciphertext goes.
 * @param out Receives ciphertext and tag from `at` on.
 * @returns How many bytes were written.
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
 * The reverse of {@linkcode seal}. Nothing comes out before the tag has been verified.
 *
 * @param ciphertext At least a tag long.
 * @returns The plaintext in memory of its own, which is how the runtime makes it; or null when the
 *   ciphertext is not authentic.
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
    // Whatever the reason, it was not verified; the reason would only help a forger.
    return null;
  }
}

function joined(prefix: Uint8Array, bytes: Uint8Array): Buffer {
  return Buffer.concat([prefix, bytes]);
}

function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`a ${what} has ${length} bytes`);
}
