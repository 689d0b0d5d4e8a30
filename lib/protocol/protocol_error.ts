/**
 * Why a connection of "IPCAUTH1" has failed, as a value.
 *
 * @module
 */
import type { RecordError } from "../net/relay_outcome.ts";
import { NoiseError } from "../noise/noise_error.ts";

/**
 * The errors of [section 6](../../docs/protocol.md#6-errors). None of them is sent to the peer.
 *
 * - `bad-key`: the peer has not proved that it holds the key: an unknown key id, a wrong key, or a
 *   replay.
 * - `malformed`: bytes that no correct peer sends.
 * - `oversized`: a length above the maximum.
 * - `truncated`: end-of-file where more had to follow.
 * - `unexpected`: a record of a known type that must not stand here.
 * - `corrupt`: a record that was changed, repeated, left out or moved on its way.
 * - `exhausted`: all nonces of a direction are used.
 */
export type ProtocolError = "bad-key" | RecordError;

/**
 * Translates an exception of the Noise layer.
 *
 * @param error The exception.
 * @param unauthentic What a ciphertext that does not decrypt means here: `bad-key` before the peer
 * has proved that it holds the key, `corrupt` afterwards.
 * @throws The exception itself when it is not a {@linkcode NoiseError}: it is a bug then.
 */
export function protocolErrorOf<Unauthentic extends "bad-key" | "corrupt">(
  error: unknown,
  unauthentic: Unauthentic,
): Unauthentic | "malformed" | "exhausted" {
  if (!(error instanceof NoiseError)) throw error;
  switch (error.reason) {
    case "unauthentic":
      return unauthentic;
    // No correct peer sends a public key of low order. A server notices it only in an authentic
    // message 1, a client before it has verified message 2.
    case "weak-key":
    case "malformed":
      return "malformed";
    case "exhausted":
      return "exhausted";
  }
}
