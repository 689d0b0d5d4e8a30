/**
 * The last lines of the log, for the console.
 *
 * It keeps a reference to the bytes that the log writes, of many lines at once where there are
 * many: nothing is copied, decoded or done for a line before a client asks for it.
 *
 * @module
 */

/** How many lines are kept. */
const MAX_LINES = 1_000;
/** How many bytes. */
const MAX_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

/** Some lines that were written together. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

const NONE: Chunk = { bytes: new Uint8Array(0), lines: 0 };

/** Lines, and where they stand in the log. */
export interface RecentResult {
  /** Without their newlines, oldest first. */
  readonly lines: readonly string[];
  /** How many lines the log has had: the position to go on from. */
  readonly next: number;
  /** How many lines from the position on are kept no more. */
  readonly dropped: number;
}

/** A bounded number of lines in a bounded space. */
export class RecentLog {
  readonly #maxLines: number;
  readonly #maxBytes: number;
  #chunks: Chunk[] = [];
  /** Where the kept chunks begin in the array. */
  #start = 0;
  /** How many lines are kept, and how many bytes they have. */
  #lines = 0;
  #bytes = 0;
  /** How many lines there have been. */
  #next = 0;

  /** @param maxLines How many lines are kept. @param maxBytes How many bytes. */
  constructor(maxLines: number = MAX_LINES, maxBytes: number = MAX_BYTES) {
    this.#maxLines = maxLines;
    this.#maxBytes = maxBytes;
  }

  /** Adds whole lines. @param lines How many they are. */
  add(bytes: Uint8Array, lines: number): void {
    this.#next += lines;
    this.#keep({ bytes, lines });
    while (this.#isOver() && this.#start < this.#chunks.length - 1) this.#drop();
    if (this.#isOver()) {
      // These lines alone are more than is kept: the last of them are.
      this.#drop();
      const tail = lastLines(bytes, this.#maxLines, this.#maxBytes);
      if (tail.lines > 0) this.#keep(tail);
    }
    if (this.#start < this.#maxLines) return;
    this.#chunks = this.#chunks.slice(this.#start);
    this.#start = 0;
  }

  /** The lines from a position on. @param after 0 for all that are kept. */
  read(after: number): RecentResult {
    const oldest = this.#next - this.#lines;
    const decoder = new TextDecoder();
    let position = oldest;
    let text = "";
    let skipped = 0;
    for (const { bytes, lines } of this.#chunks.slice(this.#start)) {
      if (position + lines <= after) skipped += lines;
      else text += decoder.decode(bytes);
      position += lines;
    }
    const lines = text.split("\n").slice(0, -1).slice(Math.max(0, after - oldest - skipped));
    return { lines, next: this.#next, dropped: Math.max(0, oldest - after) };
  }

  #isOver(): boolean {
    return this.#lines > this.#maxLines || this.#bytes > this.#maxBytes;
  }

  #keep(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#lines += chunk.lines;
    this.#bytes += chunk.bytes.length;
  }

  #drop(): void {
    const { bytes, lines } = this.#chunks[this.#start]!;
    this.#chunks[this.#start++] = NONE;
    this.#lines -= lines;
    this.#bytes -= bytes.length;
  }
}

/** The last lines of some, in bytes of their own. */
function lastLines(bytes: Uint8Array, maxLines: number, maxBytes: number): Chunk {
  let start = bytes.length;
  let lines = 0;
  while (start > 0 && lines < maxLines) {
    const before = start < 2 ? 0 : bytes.lastIndexOf(NEWLINE, start - 2) + 1;
    if (bytes.length - before > maxBytes) break;
    start = before;
    lines++;
  }
  return { bytes: bytes.slice(start), lines };
}
