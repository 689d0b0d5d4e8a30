/**
 * The failure of a Noise session.
 *
 * @module
 */

/**
 * Why a Noise session has failed.
 *
 * - `unauthentic`: a ciphertext was not made with this key, nonce and associated data.
 * - `malformed`: a message is too short for its pattern, or longer than 65,535 bytes.
 * - `weak-key`: the peer's public key is of low order, so that the shared secret is known (RFC
 *   7748, section 6.1).
 * - `exhausted`: all nonces of a key are used.
 */
export type NoiseErrorReason = "unauthentic" | "malformed" | "weak-key" | "exhausted";

/**
 * The failure of a Noise session, which is final: the state that throws it is wiped. Neither the
 * message nor the cause holds a key, a plaintext or bytes of the peer.
 */
export class NoiseError extends Error {
  override readonly name = "NoiseError";
  readonly reason: NoiseErrorReason;

  /**
   * @param reason Why the session has failed.
   * @param cause The error of the runtime.
   */
  constructor(reason: NoiseErrorReason, cause?: unknown) {
    super(`The Noise session has failed: ${reason}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}
