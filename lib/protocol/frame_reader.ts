/**
 * Cutting a stream of bytes into frames: a length of 2 bytes, big-endian, and so many bytes of
 * content. Handshake messages and records are frames.
 *
 * @module
 */

const NOTHING = new Uint8Array(0);
/** Length of the length before a frame's content, in bytes. */
export const HEADER_LENGTH = 2;

/**
 * Takes chunks of a stream and returns whole frames, the `u16 length` ‖ content of
 * [section 2](../../docs/protocol.md#2-handshake) and
 * [section 3](../../docs/protocol.md#3-records).
 *
 * A frame that lies within one chunk is not copied. The reader buffers at most one frame, of the
 * length that the caller allows, and nothing between two frames.
 *
 * @example
 * ```ts
 * const reader = new FrameReader();
 * for await (const chunk of stream) {
 *   reader.push(chunk);
 *   for (;;) {
 *     const content = reader.frame(17, 65_535);
 *     if (content === null) break;
 *     if (typeof content === "string") throw new Error(`the frame is ${content}`);
 *     handle(content);
 *   }
 * }
 * ```
 */
export class FrameReader {
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** The first bytes of a length or of a content that is not complete yet. */
  #held: Uint8Array = NOTHING;
  #heldLength = 0;
  /** The length of the content that comes next; null when a length comes next. */
  #contentLength: number | null = null;

  /** The number of bytes that are buffered. */
  get held(): number {
    return this.#heldLength;
  }

  /** Whether the stream has stopped within a frame. */
  get isMidway(): boolean {
    return this.#heldLength > 0 || this.#contentLength !== null;
  }

  /**
   * Adds a chunk.
   *
   * @param chunk The next bytes of the stream. They must not change before all of them are read.
   * @throws {Error} Before all bytes of the last chunk are read.
   */
  push(chunk: Uint8Array): void {
    if (this.#at < this.#chunk.length) {
      throw new Error("a chunk was pushed before the last was read");
    }
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * Reads bytes that have no length before them.
   *
   * @param length The number of bytes, at least 1. After a null, the next call must pass it again.
   * @returns The bytes, valid until the next call; null when the stream has fewer yet.
   */
  take(length: number): Uint8Array | null {
    const available = this.#chunk.length - this.#at;
    if (this.#heldLength === 0 && available >= length) return this.#advance(length);
    if (available > 0) {
      this.#reserve(length);
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
   * Reads the content of the next frame. The length is checked as soon as it is read, before memory
   * for the content is reserved.
   *
   * @param min The shortest content that is allowed, in bytes.
   * @param max The longest content that is allowed, in bytes.
   * @returns The content, valid until the next call; null when the stream has not all of it yet;
   * `malformed` for a length below `min`, `oversized` for one above `max`.
   */
  frame(min: number, max: number): Uint8Array | "malformed" | "oversized" | null {
    if (this.#contentLength === null) {
      const header = this.take(HEADER_LENGTH);
      if (header === null) return null;
      const length = new DataView(header.buffer, header.byteOffset).getUint16(0);
      if (length > max) return "oversized";
      if (length < min) return "malformed";
      this.#contentLength = length;
    }
    const content = this.take(this.#contentLength);
    if (content !== null) this.#contentLength = null;
    return content;
  }

  /** Returns the bytes of the last chunk that are not read yet, and counts them as read. */
  rest(): Uint8Array {
    return this.#advance(this.#chunk.length - this.#at);
  }

  #advance(length: number): Uint8Array {
    const from = this.#at;
    this.#at += length;
    return this.#chunk.subarray(from, this.#at);
  }

  /** Makes space for so many bytes. While some are held, their number does not change. */
  #reserve(length: number): void {
    if (this.#held.length < length) this.#held = new Uint8Array(length);
  }
}
