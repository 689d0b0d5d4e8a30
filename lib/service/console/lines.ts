/**
 * Lines of a stream of bytes: of bounded length, and of valid UTF-8 only.
 *
 * @module
 */

/** The stream has a line that is too long or is not UTF-8. */
export class LineError extends Error {
  override readonly name = "LineError";
}

/** Splits chunks of bytes into lines. A chunk may end anywhere, also within a character. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit The longest line, in bytes, without its newline. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the stream so far ends in a line without its newline. */
  get partial(): boolean {
    return this.#length > 0;
  }

  /**
   * Takes a chunk.
   *
   * @returns The lines it completes, without their newlines.
   * @throws {LineError} For a line that is too long or is not UTF-8. The splitter must not be used
   * then.
   */
  *push(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, end < 0 ? chunk.length : end);
      this.#length += part.length;
      if (this.#length > this.#limit) {
        throw new LineError(`a line is longer than ${this.#limit} bytes`);
      }
      // A copy, because the caller may reuse the chunk's memory.
      if (part.length > 0) this.#parts.push(part.slice());
      if (end < 0) return;
      yield this.#take();
      start = end + 1;
    }
  }

  /**
   * Takes the last line of a stream that has ended without a newline.
   *
   * @returns Null where the stream ended with a newline.
   * @throws {LineError} When the line is not UTF-8.
   */
  rest(): string | null {
    return this.partial ? this.#take() : null;
  }

  #take(): string {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    this.#parts = [];
    this.#length = 0;
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new LineError("a line is not UTF-8", { cause });
    }
  }
}
