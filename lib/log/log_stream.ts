/**
 * The audit log on standard error.
 *
 * A slow or dead reader never blocks the server: lines wait in a bounded queue. Lines that do not
 * fit, or cannot be written, are counted, and a notice in their place says so once a write
 * succeeds.
 *
 * @module
 */
import { countLines, LogChunk } from "./log_chunk.ts";

/** The capacity of the queue, in characters. */
const QUEUE_CAPACITY = 4 * 1024 * 1024;
/** How much is written at once, in characters: the capacity of a pipe (`pipe(7)`). */
const CHUNK_LENGTH = 64 * 1024;
/** How often a full pipe that was made non-blocking is tried again, in milliseconds. */
const RETRY_INTERVAL_MS = 10;

/** The destination of the log: `Deno.stderr`. */
export interface LogSink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
}

/** Writes the log in the background, one chunk after another. Never throws. */
export class LogStream {
  readonly #sink: LogSink;
  readonly #notice: (lost: number) => string;
  /** Texts to write, and numbers: so many lines are lost here. Numbers are never adjacent. */
  readonly #queue: (string | number)[] = [];
  /** How many characters wait or are being written. */
  #size = 0;
  /** Whether the last write ended with a part of a line. */
  #torn = false;
  #writing: Promise<void> | null = null;

  /**
   * @param sink The destination.
   * @param notice The line that says how many lines are lost.
   */
  constructor(sink: LogSink, notice: (lost: number) => string) {
    this.#sink = sink;
    this.#notice = notice;
  }

  /** Whether everything was written. */
  get isWritten(): boolean {
    return this.#writing === null;
  }

  /** Queues whole lines. */
  write(text: string): void {
    if (this.#hasSpaceFor(text)) {
      this.#queue.push(text);
      this.#size += text.length;
    } else {
      const last = this.#queue.at(-1);
      if (typeof last === "number") this.#queue.pop();
      this.#queue.push((typeof last === "number" ? last : 0) + countLines(text));
    }
    this.#writing ??= this.#writeAll();
  }

  /** Settles when everything was written. */
  async written(): Promise<void> {
    await this.#writing;
  }

  #hasSpaceFor(text: string): boolean {
    // A text longer than the capacity is in memory already.
    if (this.#size === 0) return true;
    // After a loss, space for more than a line is needed, or every second line would be a notice.
    const reserve = typeof this.#queue.at(-1) === "number" ? CHUNK_LENGTH : 0;
    return this.#size + text.length + reserve <= QUEUE_CAPACITY;
  }

  async #writeAll(): Promise<void> {
    let works = true;
    // After a failed write, a number alone is not tried again: the next line is.
    while (
      this.#queue.length > 1 || typeof this.#queue[0] === "string" || works && this.#queue[0]
    ) {
      works = await this.#writeChunk();
    }
    this.#writing = null;
  }

  /** @returns Whether the chunk was written. */
  async #writeChunk(): Promise<boolean> {
    const lost = this.#takeNumber();
    const text = this.#takeText();
    const notice = lost === 0 ? "" : (this.#torn ? "\n" : "") + this.#notice(lost);
    const chunk = new LogChunk(lost, notice, text);
    let written = 0;
    try {
      while (written < chunk.bytes.length) {
        written += await this.#writeSome(chunk.bytes.subarray(written));
      }
      return true;
    } catch {
      // The number takes the place of the lines in the queue.
      this.#queue.unshift(chunk.missingAfter(written) + this.#takeNumber());
      return false;
    } finally {
      this.#size -= text.length;
      if (written > 0) this.#torn = chunk.tornAfter(written) > 0;
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
      if (typeof next !== "string" || text !== "" && text.length + next.length > CHUNK_LENGTH) {
        return text;
      }
      text += next;
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
