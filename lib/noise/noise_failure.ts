/**
 * What can go wrong in a Noise session, as the four things a caller tells apart.
 *
 * @module
 */

/**
 * - `unauthentic`: a ciphertext that the holder of the key did not make, or not for this place.
 * - `malformed`: a message too short to hold what its pattern says, or longer than a message may be.
 * - `weak-key`: a public key of low order; whoever sent it chose the shared secret alone.
 * - `exhausted`: all nonces of a key are used up.
 */
export type NoiseFailureReason = "unauthentic" | "malformed" | "weak-key" | "exhausted";

/**
 * The end of a Noise session. It is final: the state that threw it is wiped, and refuses further use.
 * Neither its message nor its cause holds a key, a plaintext or a peer's bytes.
 */
export class NoiseFailure extends Error {
  override readonly name = "NoiseFailure";
  readonly reason: NoiseFailureReason;

  /** @param reason Which of the four. @param cause The error underneath. */
  constructor(reason: NoiseFailureReason, cause?: unknown) {
    super(`The Noise session has failed: ${reason}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}
