/**
 * The first bytes of a connection: the name of the protocol and the key id.
 *
 * @module
 */
import { KEY_ID_LENGTH } from "../keys/key_id.ts";

/** The name and version of the protocol, the first 8 bytes that a client sends, in ASCII. */
export const MAGIC: Readonly<Uint8Array> = new TextEncoder().encode("IPCAUTH1");

/**
 * What a client sends before anything else, and both sides use as the prologue of the handshake.
 *
 * @param id A key id as `keyId` gives it: 16 hexadecimal digits.
 * @returns 16 bytes: `IPCAUTH1` ‖ key id.
 */
export function preamble(id: string): Uint8Array {
  const bytes = new Uint8Array(MAGIC.length + KEY_ID_LENGTH);
  bytes.set(MAGIC);
  bytes.set(Uint8Array.fromHex(id), MAGIC.length);
  return bytes;
}
