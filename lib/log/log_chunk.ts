/**
 * What is written to a log at once, and what is missing when not all of it is taken.
 *
 * @module
 */

const NEWLINE = 0x0a;

/** How many lines a text of whole lines has. */
export function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Whole lines, and in front of them a word on those that are missing before. */
export class LogChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #missing: number;
  readonly #notice: number;
  readonly #lines: number;

  /**
   * @param missing How many lines are missing before.
   * @param notice Says so; empty where none are.
   * @param text The lines.
   */
  constructor(missing: number, notice: string, text: string) {
    const encoder = new TextEncoder();
    this.bytes = encoder.encode(notice + text);
    this.#missing = missing;
    this.#notice = encoder.encode(notice).length;
    this.#lines = countLines(text);
  }

  /** How many lines nobody will read when only so many bytes were taken. A word that was told is done with. */
  missingAfter(written: number): number {
    if (written < this.#notice) return this.#missing + this.#lines;
    return this.bytes.subarray(written).filter((byte) => byte === NEWLINE).length;
  }

  /** How many of the bytes that were taken are the beginning of a line without its end. */
  tornAfter(written: number): number {
    return written - 1 - this.bytes.subarray(0, written).lastIndexOf(NEWLINE);
  }
}
