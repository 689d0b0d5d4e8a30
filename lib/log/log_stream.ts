/**
 * The audit log on standard error.
 *
 * A slow or dead reader never blocks the server: lines wait in a bounded queue. Lines that do not
 * fit, or cannot be written, are counted, and a notice in their place says so once a write
 * succeeds.
 *
 * @module
 */
import { LineShares } from "./line_shares.ts";
import { LogChunk } from "./log_chunk.ts";
import { type LineMark, readMarks, UNMARKED } from "./line_mark.ts";

/** How many bytes may wait, whatever they are about. */
const OPEN_CAPACITY = 1024 * 1024;
/** How many bytes more, shared out between the clients that they are about. */
const SHARED_CAPACITY = 4 * 1024 * 1024;
/** How many bytes more of standard error of programs, which takes nothing of the above. */
const STDERR_CAPACITY = 1024 * 1024;
/** How much is written at once, in bytes: the capacity of a pipe (`pipe(7)`). */
const CHUNK_LENGTH = 64 * 1024;
/** How often a full pipe that was made non-blocking is tried again, in milliseconds. */
const RETRY_INTERVAL_MS = 10;
const NEWLINE = 0x0a;

/** The destination of the log: `Deno.stderr`. */
export interface LogSink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** Lines that wait. */
interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the lines take a share: of which space, and whose. */
  readonly share: { readonly of: LineShares; readonly subjects: readonly string[] } | null;
}

/** So many lines are lost here. */
interface Loss {
  lines: number;
  /** How many of them were standard error of programs. */
  stderr: number;
}

/** Writes the log in the background, one chunk after another. Never throws. */
export class LogStream {
  readonly #sink: LogSink;
  readonly #notice: (lost: number, stderr: number) => string;
  /** What is to be written. Losses are never adjacent. */
  readonly #queue: (Piece | Loss)[] = [];
  /** How many bytes wait or are being written. */
  #size = 0;
  readonly #shared = new LineShares(SHARED_CAPACITY);
  readonly #stderr = new LineShares(STDERR_CAPACITY);
  /** Whether the last write ended with a part of a line. */
  #torn = false;
  #writing: Promise<void> | null = null;

  /**
   * @param sink The destination.
   * @param notice The line that says how many lines are lost, and how many of them were standard
   * error of programs.
   */
  constructor(sink: LogSink, notice: (lost: number, stderr: number) => string) {
    this.#sink = sink;
    this.#notice = notice;
  }

  /** Whether everything was written. */
  get isWritten(): boolean {
    return this.#writing === null;
  }

  /**
   * Queues whole lines.
   *
   * @param marks Their marks (`line_mark.ts`), where they have some.
   */
  write(lines: Uint8Array<ArrayBuffer>, marks = ""): void {
    // What is longer than the capacity is in memory already.
    if (this.#size === 0 || this.#size + lines.length <= OPEN_CAPACITY) {
      this.#push({ bytes: lines, share: null });
    } else {
      const read = readMarks(marks);
      for (let at = 0, index = 0; at < lines.length; index++) {
        const end = lines.indexOf(NEWLINE, at) + 1;
        this.#writeLine(lines.subarray(at, end), read[index] ?? UNMARKED);
        at = end;
      }
    }
    this.#writing ??= this.#writeAll();
  }

  /** Queues whole lines. */
  writeText(text: string): void {
    this.write(new TextEncoder().encode(text));
  }

  /** Settles when everything was written. */
  async written(): Promise<void> {
    await this.#writing;
  }

  #writeLine(bytes: Uint8Array<ArrayBuffer>, { isStderr, subjects }: LineMark): void {
    const of = isStderr ? this.#stderr : this.#shared;
    const last = this.#queue.at(-1);
    // After a loss, space for more than a line is needed, or every second line would be a notice.
    const reserve = last !== undefined && "lines" in last ? CHUNK_LENGTH : 0;
    if (of.take(subjects, bytes.length, reserve)) this.#push({ bytes, share: { of, subjects } });
    else this.#lose(1, isStderr ? 1 : 0);
  }

  #push(piece: Piece): void {
    this.#queue.push(piece);
    this.#size += piece.bytes.length;
  }

  #lose(lines: number, stderr: number): void {
    const last = this.#queue.at(-1);
    if (last === undefined || !("lines" in last)) this.#queue.push({ lines, stderr });
    else {
      last.lines += lines;
      last.stderr += stderr;
    }
  }

  async #writeAll(): Promise<void> {
    let works = true;
    // After a failed write, a loss alone is not tried again: the next line is.
    while (this.#queue.some((one) => "bytes" in one) || works && this.#queue.length > 0) {
      works = await this.#writeChunk();
    }
    this.#writing = null;
  }

  /** @returns Whether the chunk was written. */
  async #writeChunk(): Promise<boolean> {
    const { lines: lost, stderr } = this.#takeLoss();
    const pieces = this.#takePieces();
    const notice = lost === 0 ? "" : (this.#torn ? "\n" : "") + this.#notice(lost, stderr);
    const chunk = new LogChunk(lost, notice, pieces.map(({ bytes }) => bytes));
    let written = 0;
    try {
      while (written < chunk.bytes.length) {
        written += await this.#writeSome(chunk.bytes.subarray(written));
      }
      return true;
    } catch {
      // The loss takes the place of the lines in the queue.
      const next = this.#takeLoss();
      this.#queue.unshift({
        lines: chunk.missingAfter(written) + next.lines,
        // A notice that was written counts no more.
        stderr: (written < notice.length ? stderr : 0) + next.stderr,
      });
      return false;
    } finally {
      for (const { share, bytes } of pieces) {
        this.#size -= bytes.length;
        share?.of.release(share.subjects, bytes.length);
      }
      if (written > 0) this.#torn = chunk.tornAfter(written) > 0;
    }
  }

  /** The loss at the front of the queue. */
  #takeLoss(): Loss {
    const first = this.#queue[0];
    if (first === undefined || !("lines" in first)) return { lines: 0, stderr: 0 };
    this.#queue.shift();
    return first;
  }

  /** The lines at the front of the queue. */
  #takePieces(): Piece[] {
    const pieces: Piece[] = [];
    let length = 0;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || !("bytes" in next)) return pieces;
      if (length > 0 && length + next.bytes.length > CHUNK_LENGTH) return pieces;
      pieces.push(next);
      length += next.bytes.length;
      this.#queue.shift();
    }
  }

  /** Writes what the sink accepts now. @returns How many bytes that was. */
  async #writeSome(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    try {
      return await this.#sink.write(bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL_MS));
      return 0;
    }
  }
}
