/**
 * What a program says on its standard error, line by line, on its way to the log.
 *
 * @module
 */
import type { Descriptor } from "../../libc/descriptor.ts";
import { readPipe } from "../../libc/pipe.ts";
import { WOULD_BLOCK } from "../../libc/sockets.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../../reactor/reactor.ts";

/** How long a line may be before it is cut in two, in characters. */
const LONGEST = 4096;
/**
 * How many bytes a program may say in {@linkcode PAUSE}; who says more waits. The log is everybody's, and a peer
 * may well decide what a program complains about.
 */
const BUDGET = 64 * 1024;
/** In milliseconds. */
const PAUSE = 1_000;

/** Reads a program's standard error. */
export class ErrorStream implements Watcher {
  readonly #reactor: Reactor;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #registration: Registration | null;
  #rest = "";
  #left = BUDGET;
  #since: number;

  /** @param reader Belongs to the stream from here on, also when this throws. */
  constructor(reactor: Reactor, reader: Descriptor, onLine: (line: string) => void) {
    this.#reactor = reactor;
    this.#onLine = onLine;
    this.#since = reactor.now();
    this.#registration = reactor.watch(reader, EPOLLIN, this);
  }

  onEvents(mask: number): void {
    const now = this.#reactor.now();
    if (now - this.#since >= PAUSE) {
      this.#since = now;
      this.#left = BUDGET;
    }
    // Nobody can write any more, so what is left has an end, and the kernel would go on telling.
    if ((mask & EPOLLIN) === 0) return this.close();
    this.#read();
    if (this.#left > 0 || this.#registration === null) return;
    this.#registration.update(0);
    this.#reactor.after(PAUSE, () => this.#registration?.update(EPOLLIN));
  }

  onFault(): void {
    this.#registration?.close();
    this.#registration = null;
  }

  /** Reads what is there, and no more: others may hold the pipe for ever. */
  close(): void {
    // A pipe holds 64 KiB, and somebody may be filling it: then this has an end, too.
    for (let count = 0; count < 16 && this.#registration !== null; count++) {
      if (this.#read() === 0) break;
    }
    this.#registration?.close();
    this.#registration = null;
    this.#push(this.#decoder.decode(), true);
  }

  /** @returns How many bytes were read; 0 also where there are none now. */
  #read(): number {
    const registration = this.#registration;
    if (registration === null) return 0;
    const count = readPipe(registration.descriptor, chunk);
    if (count > 0) {
      this.#left -= count;
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
    const lines = (this.#rest + text).split("\n");
    this.#rest = last ? "" : lines.pop()!;
    for (const line of lines) this.#tell(line);
    for (; this.#rest.length > LONGEST; this.#rest = this.#rest.slice(LONGEST)) {
      this.#tell(this.#rest.slice(0, LONGEST));
    }
  }

  #tell(line: string): void {
    for (let from = 0; from < line.length; from += LONGEST) {
      this.#onLine(line.slice(from, from + LONGEST));
    }
  }
}

const chunk = new Uint8Array(8 * 1024);
