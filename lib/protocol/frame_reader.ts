/**
 * Cuts a stream of bytes into frames: a length of two bytes, big-endian, and as many bytes of content.
 *
 * @module
 */

const NOTHING = new Uint8Array(0);
/** Length of a frame's length, in bytes. */
export const HEADER_LENGTH = 2;

/**
 * Takes chunks as they arrive and gives out whole frames. A frame that lies in one chunk is not copied.
 * What is held back is at most one frame, no longer than the caller has allowed, and nothing at all while
 * the stream rests between two frames.
 */
export class FrameReader {
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** The beginning of something whose end has not come yet. */
  #held: Uint8Array = NOTHING;
  #heldLength = 0;
  /** The length of the frame whose content is due. */
  #due: number | null = null;

  /** How many bytes are held back. */
  get held(): number {
    return this.#heldLength;
  }

  /** Whether the stream has stopped within something. */
  get isMidway(): boolean {
    return this.#heldLength > 0 || this.#due !== null;
  }

  /**
   * @param chunk The next bytes of the stream. It must not change before everything has been taken from it.
   */
  push(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) {
      throw new Error("a chunk was pushed before the last was read");
    }
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The next bytes, without a length before them.
   *
   * @param length How many; at least 1, and the same again after a null.
   * @returns The bytes, valid until the next call; null when more of the stream is needed.
   */
  take(length: number): Uint8Array | null {
    const available = this.#chunk.length - this.#at;
    if (this.#heldLength === 0 && available >= length) return this.#advance(length);
    if (available > 0) {
      this.#makeRoom(length);
      const part = this.#advance(Math.min(available, length - this.#heldLength));
      this.#held.set(part, this.#heldLength);
      this.#heldLength += part.length;
    }
    if (this.#heldLength < length) {
      this.#chunk = NOTHING;
      this.#at = 0;
      if (!this.isMidway) this.#held = NOTHING;
      return null;
    }
    this.#heldLength = 0;
    return this.#held.subarray(0, length);
  }

  /**
   * The content of the next frame. A length out of bounds is refused before any of the content is awaited
   * or room for it made.
   *
   * @param min The shortest content that may come.
   * @param max The longest.
   * @returns The content, valid until the next call; null when more of the stream is needed.
   */
  frame(min: number, max: number): Uint8Array | "malformed" | "oversized" | null {
    if (this.#due === null) {
      const header = this.take(HEADER_LENGTH);
      if (header === null) return null;
      const length = new DataView(header.buffer, header.byteOffset).getUint16(0);
      if (length > max) return "oversized";
      if (length < min) return "malformed";
      this.#due = length;
    }
    const content = this.take(this.#due);
    if (content !== null) this.#due = null;
    return content;
  }

  /** What of the last chunk has not been taken; it is the caller's from now on. */
  rest(): Uint8Array {
    return this.#advance(this.#chunk.length - this.#at);
  }

  #advance(length: number): Uint8Array {
    const from = this.#at;
    this.#at += length;
    return this.#chunk.subarray(from, this.#at);
  }

  #makeRoom(length: number): void {
    if (this.#held.length >= length) return;
    const larger = new Uint8Array(length);
    larger.set(this.#held.subarray(0, this.#heldLength));
    this.#held = larger;
  }
}
