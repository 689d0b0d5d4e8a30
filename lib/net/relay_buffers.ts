/**
 * The memory that all relays of a thread share.
 *
 * @module
 */

/** How many bytes are read at once. */
export const CHUNK = 256 * 1024;

/** Buffers for one chunk at a time. They hold nothing between two calls. */
export class RelayBuffers {
  readonly read = new Uint8Array(CHUNK);
  #opened = new Uint8Array(CHUNK);
  #sealed = new Uint8Array(CHUNK);

  /** A buffer for decrypted bytes. @param length Its least length, in bytes. */
  spaceToOpen(length: number): Uint8Array<ArrayBuffer> {
    if (this.#opened.length < length) this.#opened = new Uint8Array(length);
    return this.#opened;
  }

  /** A buffer for encrypted bytes. @param length Its least length, in bytes. */
  spaceToSeal(length: number): Uint8Array<ArrayBuffer> {
    if (this.#sealed.length < length) this.#sealed = new Uint8Array(length);
    return this.#sealed;
  }
}
