/**
 * The memory through which everything passes that relays carry.
 *
 * @module
 */

/** How many bytes are read at once. */
export const CHUNK = 256 * 1024;

/** The buffers that all relays of a thread share. Between two calls nothing is in them. */
export class RelayBuffers {
  readonly read = new Uint8Array(CHUNK);
  opened = new Uint8Array(CHUNK);
  sealed = new Uint8Array(CHUNK);

  /** {@linkcode opened}, at least so long. */
  roomToOpen(length: number): Uint8Array<ArrayBuffer> {
    if (this.opened.length < length) this.opened = new Uint8Array(length);
    return this.opened;
  }

  /** {@linkcode sealed}, at least so long. */
  roomToSeal(length: number): Uint8Array<ArrayBuffer> {
    if (this.sealed.length < length) this.sealed = new Uint8Array(length);
    return this.sealed;
  }
}
