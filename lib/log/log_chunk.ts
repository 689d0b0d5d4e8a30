/**
 * The bytes of one write to a log, and what is missing when only a part of them was written.
 *
 * @module
 */

const NEWLINE = 0x0a;

/** The number of lines of a text of whole lines. */
function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Whole lines, preceded by a notice of those that are missing before them. */
export class LogChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #missing: number;
  readonly #noticeLength: number;
  readonly #lines: number;

  /**
   * @param missing How many lines are missing before.
   * @param notice The line that says so; empty where none are.
   * @param text The lines.
   */
  constructor(missing: number, notice: string, text: string) {
    const encoder = new TextEncoder();
    this.bytes = encoder.encode(notice + text);
    this.#missing = missing;
    this.#noticeLength = encoder.encode(notice).length;
    this.#lines = countLines(text);
  }

  /**
   * How many lines are missing when only so many bytes were written. A written notice counts no
   * more.
   */
  missingAfter(written: number): number {
    if (written < this.#noticeLength) return this.#missing + this.#lines;
    return this.bytes.subarray(written).filter((byte) => byte === NEWLINE).length;
  }

  /** How many of the written bytes are the beginning of a line without its end. */
  tornAfter(written: number): number {
    return written - 1 - this.bytes.subarray(0, written).lastIndexOf(NEWLINE);
  }
}
