/**
 * Lines out of a stream of bytes: bounded, and strict about UTF-8.
 *
 * @module
 */

/** The stream is not made of lines that this program accepts. */
export class LineError extends Error {
  override readonly name = "LineError";
}

/** Splits chunks of bytes into lines; a chunk may end anywhere, also within a character. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param limit The longest line, in bytes, without its newline. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the beginning of a line is waiting for its end. */
  get partial(): boolean {
    return this.#length > 0;
  }

  /**
   * Takes a chunk.
   *
   * @returns The lines it completes, without their newlines.
   * @throws {LineError} For a line that is too long or is not UTF-8. The splitter is of no use then.
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
      // A copy: the caller may use the chunk's memory again.
      if (part.length > 0) this.#parts.push(part.slice());
      if (end < 0) return;
      yield this.#take();
      start = end + 1;
    }
  }

  /**
   * Takes the line that has no newline, because the stream has ended.
   *
   * @returns Null where there is none.
   * @throws {LineError} When it is not UTF-8.
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
