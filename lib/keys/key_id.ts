/**
 * The name of a key that may be sent in clear and written to a log, and the preamble that carries it.
 *
 * @module
 */
import { sha256 } from "../noise/primitives.ts";

/** Length of a key, in bytes. */
export const KEY_LENGTH = 32;
/** Length of a key's id, in bytes. */
export const KEY_ID_LENGTH = 8;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const DOMAIN = ascii("ipcauth key id v1");
/** The first bytes a client sends: the name and version of the protocol, in ASCII. */
export const MAGIC: Readonly<Uint8Array> = ascii("IPCAUTH1");

/**
 * The id of a key.
 *
 * @param key 32 bytes.
 * @returns The first 8 bytes of SHA-256("ipcauth key id v1" ‖ key) as 16 hexadecimal digits. It tells
 *   nothing of the key that would help to guess one of 256 random bits.
 */
export function keyId(key: Uint8Array): string {
  if (key.length !== KEY_LENGTH) throw new RangeError(`a key has ${KEY_LENGTH} bytes`);
  return sha256(DOMAIN, key).subarray(0, KEY_ID_LENGTH).toHex();
}

/**
 * What a client sends before anything else, and both sides use as the prologue of the handshake.
 *
 * @param id As {@linkcode keyId} gives it.
 * @returns 16 bytes.
 */
export function preamble(id: string): Uint8Array {
  const bytes = new Uint8Array(MAGIC.length + KEY_ID_LENGTH);
  bytes.set(MAGIC);
  bytes.set(Uint8Array.fromHex(id), MAGIC.length);
  return bytes;
}
