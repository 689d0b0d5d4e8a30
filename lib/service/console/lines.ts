/**
 * Lines of a stream of bytes: of bounded length, and of valid UTF-8 only.
 *
 * @module
 */

/** The stream has a line that is too long or is not UTF-8. */
export class LineError extends Error {
  override readonly name = "LineError";
}

/** The smallest memory for a line that has not ended yet, in bytes. */
const MIN_CAPACITY = 256;

/** Splits chunks of bytes into lines. A chunk may end anywhere, also within a character. */
export class LineSplitter {
  readonly #limit: number;
  /** The beginning of a line: its memory grows by doubling, whatever the size of the chunks is. */
  #pending: Uint8Array = new Uint8Array(0);
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
      if (this.#length + part.length > this.#limit) {
        throw new LineError(`a line is longer than ${this.#limit} bytes`);
      }
      if (end >= 0 && this.#length === 0) {
        yield decode(part);
      } else {
        // A copy, because the caller may reuse the chunk's memory.
        this.#append(part);
        if (end < 0) return;
        yield this.#take();
      }
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

  #append(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#pending.length) {
      const capacity = Math.max(MIN_CAPACITY, length, 2 * this.#pending.length);
      const larger = new Uint8Array(Math.min(capacity, this.#limit));
      larger.set(this.#pending.subarray(0, this.#length));
      this.#pending = larger;
    }
    this.#pending.set(part, this.#length);
    this.#length = length;
  }

  #take(): string {
    const line = decode(this.#pending.subarray(0, this.#length));
    this.#pending = new Uint8Array(0);
    this.#length = 0;
    return line;
  }
}

function decode(line: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(line);
  } catch (cause) {
    throw new LineError("a line is not UTF-8", { cause });
  }
}
