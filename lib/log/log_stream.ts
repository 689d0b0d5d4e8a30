/**
 * The log on its way to standard error, whoever reads there, or reads no more.
 *
 * A reader that is slow holds up nobody: what is logged meanwhile waits in a queue that has a bound. What does not
 * fit, or cannot be written, is counted, and told in its place as soon as something can be written again.
 *
 * @module
 */
import { countLines, LogChunk } from "./log_chunk.ts";

/** How much may wait, in characters. */
const BOUND = 4 * 1024 * 1024;
/** How much is written at once, in characters: what a pipe holds. */
const PIECE = 64 * 1024;
/** How often a pipe that somebody else has made non-blocking is tried again, in milliseconds. */
const PAUSE = 10;

/** Where the log goes: `Deno.stderr`. */
export interface LogSink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** Writes the log in the background, one piece after the other. Nothing is ever thrown. */
export class LogStream {
  readonly #sink: LogSink;
  readonly #notice: (lost: number) => string;
  /** Texts that wait, and numbers: so many lines are lost here. No two numbers follow each other. */
  readonly #queue: (string | number)[] = [];
  /** How much waits or is being written. */
  #size = 0;
  /** Whether the last thing that was taken is the beginning of a line. */
  #torn = false;
  #writing: Promise<void> | null = null;

  /**
   * @param sink Where it goes.
   * @param notice Says in a line that so many were lost.
   */
  constructor(sink: LogSink, notice: (lost: number) => string) {
    this.#sink = sink;
    this.#notice = notice;
  }

  /** Whether nothing waits. */
  get isWritten(): boolean {
    return this.#writing === null;
  }

  /** Takes whole lines. */
  write(text: string): void {
    if (this.#hasRoomFor(text)) {
      this.#queue.push(text);
      this.#size += text.length;
    } else {
      const last = this.#queue.at(-1);
      if (typeof last === "number") this.#queue.pop();
      this.#queue.push((typeof last === "number" ? last : 0) + countLines(text));
    }
    this.#writing ??= this.#writeAll();
  }

  /** Settles when nothing waits any more. */
  async written(): Promise<void> {
    await this.#writing;
  }

  #hasRoomFor(text: string): boolean {
    // What is longer than the bound by itself is in memory already.
    if (this.#size === 0) return true;
    // After a loss there must be room for more than a line, or every second one would say that one is missing.
    const reserve = typeof this.#queue.at(-1) === "number" ? PIECE : 0;
    return this.#size + text.length + reserve <= BOUND;
  }

  async #writeAll(): Promise<void> {
    let works = true;
    // What was lost is no reason to try again, where that has just failed: the next line will be.
    while (
      this.#queue.length > 1 || typeof this.#queue[0] === "string" || works && this.#queue[0]
    ) {
      works = await this.#writePiece();
    }
    this.#writing = null;
  }

  /** @returns Whether all of it was taken. */
  async #writePiece(): Promise<boolean> {
    const lost = this.#takeNumber();
    const text = this.#takeText();
    const notice = lost === 0 ? "" : (this.#torn ? "\n" : "") + this.#notice(lost);
    const piece = new LogChunk(lost, notice, text);
    let written = 0;
    try {
      while (written < piece.bytes.length) {
        written += await this.#some(piece.bytes.subarray(written));
      }
      return true;
    } catch {
      // Nobody can be told now. The number is, in its place.
      this.#queue.unshift(piece.missingAfter(written) + this.#takeNumber());
      return false;
    } finally {
      this.#size -= text.length;
      if (written > 0) this.#torn = piece.tornAfter(written) > 0;
    }
  }

  /** The number at the front of the queue; 0 where no lines are lost. */
  #takeNumber(): number {
    const first = this.#queue[0];
    if (typeof first !== "number") return 0;
    this.#queue.shift();
    return first;
  }

  /** The texts at the front of the queue. */
  #takeText(): string {
    let text = "";
    for (;;) {
      const next = this.#queue[0];
      if (typeof next !== "string" || text !== "" && text.length + next.length > PIECE) return text;
      text += next;
      this.#queue.shift();
    }
  }

  /** Writes what is taken now. @returns How much that is. */
  async #some(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    try {
      return await this.#sink.write(bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      return 0;
    }
  }
}
