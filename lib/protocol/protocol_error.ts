/**
 * Why a connection of the access check ends, as a value.
 *
 * @module
 */
import { NoiseFailure } from "../noise/noise_failure.ts";

/**
 * - `bad-key`: the other side has not proved that it holds the key; unknown, wrong, or a replay.
 * - `malformed`: bytes that no correct peer sends.
 * - `oversized`: a length beyond what may stand there.
 * - `truncated`: end-of-file where more had to come.
 * - `unexpected`: a record that is well-formed and out of place.
 * - `corrupt`: a record that was changed, repeated, left out or moved on its way.
 * - `exhausted`: the nonces of a direction are used up.
 */
export type ProtocolError =
  | "bad-key"
  | "malformed"
  | "oversized"
  | "truncated"
  | "unexpected"
  | "corrupt"
  | "exhausted";

/**
 * What a failure of the Noise session means here.
 *
 * @param error Whatever was caught.
 * @param unauthentic What a ciphertext that does not decrypt means at this place.
 * @throws The error itself, when it is no failure of the session: then it is a bug.
 */
export function protocolErrorOf(error: unknown, unauthentic: "bad-key" | "corrupt"): ProtocolError {
  if (!(error instanceof NoiseFailure)) throw error;
  switch (error.reason) {
    case "unauthentic":
      return unauthentic;
    // Only the holder of the key gets as far as to send a public key that is used.
    case "weak-key":
    case "malformed":
      return "malformed";
    case "exhausted":
      return "exhausted";
  }
}
