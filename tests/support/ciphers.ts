/** Which ciphers have a key. */
import { CipherState } from "../../lib/noise/cipher_state.ts";

const NOTHING = new Uint8Array(0);

/** Whether a cipher has no key any more. */
export function isWiped(cipher: CipherState): boolean {
  try {
    cipher.encryptWithAd(NOTHING, NOTHING, new Uint8Array(16));
    return false;
  } catch (error) {
    return error instanceof Error && error.message.includes("without a key");
  }
}

/** The ciphers that get a key while an action runs. */
export function keyedDuring(action: () => void): CipherState[] {
  const keyed = new Set<CipherState>();
  const initializeKey = CipherState.prototype.initializeKey;
  CipherState.prototype.initializeKey = function (...args): void {
    keyed.add(this);
    initializeKey.apply(this, args);
  };
  try {
    action();
  } finally {
    CipherState.prototype.initializeKey = initializeKey;
  }
  return [...keyed];
}
