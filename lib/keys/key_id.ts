/**
 * The id of a key. It may be sent in clear and written to a log.
 *
 * @module
 */
import { sha256 } from "../noise/primitives.ts";

/** Length of a key, in bytes. */
export const KEY_LENGTH = 32;
/** Length of a key's id, in bytes. */
export const KEY_ID_LENGTH = 8;

const DOMAIN = new TextEncoder().encode("ipcauth key id v1");

/**
 * The id of a key.
 *
 * @param key 32 bytes.
 * @returns The first 8 bytes of SHA-256("ipcauth key id v1" ‖ key) as 16 hexadecimal digits. It
 * does not help to guess a key of 256 random bits.
 * @throws {RangeError} When the key has another length.
 */
export function keyId(key: Uint8Array): string {
  if (key.length !== KEY_LENGTH) throw new RangeError(`a key has ${KEY_LENGTH} bytes`);
  return sha256(DOMAIN, key).subarray(0, KEY_ID_LENGTH).toHex();
}
