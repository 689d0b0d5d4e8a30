/**
 * The standard error of a program, line by line, on its way to the log.
 *
 * @module
 */
import type { Descriptor } from "../../libc/descriptor.ts";
import { readPipe } from "../../libc/pipe.ts";
import { WOULD_BLOCK } from "../../libc/sockets.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../../reactor/reactor.ts";

/** The longest line, in characters; a longer one is cut into several. */
const MAX_LINE_LENGTH = 4096;
/**
 * How many bytes are read in {@linkcode INTERVAL_MS}; a program that writes more waits. The log is
 * shared, and a client may control what a program writes.
 */
const BYTES_PER_INTERVAL = 64 * 1024;
const INTERVAL_MS = 1_000;
/** How many reads of 8 KiB empty a full pipe, which holds 64 KiB (`pipe(7)`), with a margin. */
const MAX_FINAL_READS = 16;

/** Reads the standard error of a program. */
export class ErrorStream implements Watcher {
  readonly #reactor: Reactor;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #registration: Registration | null;
  /** The beginning of a line whose end has not been read. */
  #partialLine = "";
  #bytesLeft = BYTES_PER_INTERVAL;
  #intervalStart: number;

  /** @param reader The read end of a pipe; owned by the stream, also when this throws. */
  constructor(reactor: Reactor, reader: Descriptor, onLine: (line: string) => void) {
    this.#reactor = reactor;
    this.#onLine = onLine;
    this.#intervalStart = reactor.now();
    this.#registration = reactor.watch(reader, EPOLLIN, this);
  }

  onEvents(mask: number): void {
    const now = this.#reactor.now();
    if (now - this.#intervalStart >= INTERVAL_MS) {
      this.#intervalStart = now;
      this.#bytesLeft = BYTES_PER_INTERVAL;
    }
    // EPOLLHUP alone: every writer is closed, and the event would repeat without end.
    if ((mask & EPOLLIN) === 0) return this.close();
    this.#read();
    if (this.#bytesLeft > 0 || this.#registration === null) return;
    this.#registration.update(0);
    this.#reactor.after(INTERVAL_MS, () => this.#registration?.update(EPOLLIN));
  }

  onFault(): void {
    this.#registration?.close();
    this.#registration = null;
  }

  /** Reads what the pipe holds, and closes it: other processes may keep it open. */
  close(): void {
    // Bounded: a process may be writing meanwhile.
    for (let count = 0; count < MAX_FINAL_READS && this.#registration !== null; count++) {
      if (this.#read() === 0) break;
    }
    this.#registration?.close();
    this.#registration = null;
    this.#push(this.#decoder.decode(), true);
  }

  /** @returns How many bytes were read; 0 also where the pipe is empty now. */
  #read(): number {
    const registration = this.#registration;
    if (registration === null) return 0;
    const count = readPipe(registration.descriptor, chunk);
    if (count > 0) {
      this.#bytesLeft -= count;
      this.#push(this.#decoder.decode(chunk.subarray(0, count), { stream: true }), false);
      return count;
    }
    if (count !== WOULD_BLOCK) {
      registration.close();
      this.#registration = null;
    }
    return 0;
  }

  #push(text: string, last: boolean): void {
    const lines = (this.#partialLine + text).split("\n");
    this.#partialLine = last ? "" : lines.pop()!;
    for (const line of lines) this.#report(line);
    while (this.#partialLine.length > MAX_LINE_LENGTH) {
      this.#report(this.#partialLine.slice(0, MAX_LINE_LENGTH));
      this.#partialLine = this.#partialLine.slice(MAX_LINE_LENGTH);
    }
  }

  #report(line: string): void {
    for (let from = 0; from < line.length; from += MAX_LINE_LENGTH) {
      this.#onLine(line.slice(from, from + MAX_LINE_LENGTH));
    }
  }
}

const chunk = new Uint8Array(8 * 1024);
