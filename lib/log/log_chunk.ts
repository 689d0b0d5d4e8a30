/**
 * The bytes of one write to a log, and what is missing when only a part of them was written.
 *
 * @module
 */

const NEWLINE = 0x0a;

/** The number of lines that end in some bytes. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** Whole lines, preceded by a notice of those that are missing before them. */
export class LogChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #missing: number;
  readonly #noticeLength: number;

  /**
   * @param missing How many lines are missing before.
   * @param notice The line that says so; empty where none are.
   * @param lines Whole lines.
   */
  constructor(missing: number, notice: string, lines: readonly Uint8Array<ArrayBuffer>[]) {
    const parts = notice === "" ? lines : [new TextEncoder().encode(notice), ...lines];
    this.bytes = parts.length === 1 ? parts[0]! : joined(parts);
    this.#missing = missing;
    this.#noticeLength = notice === "" ? 0 : parts[0]!.length;
  }

  /**
   * How many lines are missing when only so many bytes were written. A written notice counts no
   * more.
   */
  missingAfter(written: number): number {
    const isNoticed = written >= this.#noticeLength;
    const lines = countLines(this.bytes.subarray(isNoticed ? written : this.#noticeLength));
    return isNoticed ? lines : this.#missing + lines;
  }

  /** The lines, without the notice, that are not complete when only so many bytes were written. */
  linesAfter(written: number): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(Math.max(this.#noticeLength, written - this.tornAfter(written)));
  }

  /** How many of the written bytes are the beginning of a line without its end. */
  tornAfter(written: number): number {
    return written - 1 - this.bytes.subarray(0, written).lastIndexOf(NEWLINE);
  }
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
