/**
 * The standard error of a program, line by line, on its way to the log.
 *
 * @module
 */
import type { Descriptor } from "../../libc/descriptor.ts";
import { readPipe } from "../../libc/pipe.ts";
import { WOULD_BLOCK } from "../../libc/sockets.ts";
import {
  EPOLLET,
  EPOLLIN,
  type Reactor,
  type Registration,
  type Watcher,
} from "../../reactor/reactor.ts";
import type { StderrBudget, WaitingSource } from "./stderr_budget.ts";

/** The longest line, in characters; a longer one is cut into several. */
const MAX_LINE_LENGTH = 4096;
/** What a line costs beside its text: its other fields, in bytes of the log. */
const LINE_OVERHEAD_BYTES = 256;
/** How many bytes of the log one program takes before others get a turn. */
const BYTES_PER_TURN = 8 * 1024;
/** How many reads of 8 KiB empty a full pipe, which holds 64 KiB (`pipe(7)`), with a margin. */
const MAX_FINAL_READS = 16;

/** Receives the lines of an {@linkcode ErrorStream}. */
export interface LineSink {
  line(text: string): void;
  /** So many lines are left out here. */
  lost(count: number): void;
}

/** Reads the standard error of a program, no faster than its budget allows. */
export class ErrorStream implements Watcher, WaitingSource {
  readonly user: string;
  readonly #sink: LineSink;
  readonly #budget: StderrBudget;
  readonly #decoder = new TextDecoder();
  #registration: Registration | null;
  /** What was read and not reported yet. */
  #text = "";
  #isWaiting = false;
  /** How many lines were left out at the end. */
  #lost = 0;

  /**
   * @param reader The read end of a pipe; owned by the stream, also when this throws.
   * @param user The user of the session, whose budget it is.
   */
  constructor(
    reactor: Reactor,
    reader: Descriptor,
    user: string,
    budget: StderrBudget,
    sink: LineSink,
  ) {
    this.user = user;
    this.#sink = sink;
    this.#budget = budget;
    this.#registration = reactor.watch(reader, EPOLLIN, this);
  }

  onEvents(mask: number): void {
    // While it waits, only the end of the last writer is reported, once.
    if (this.#isWaiting) return;
    // EPOLLHUP alone: every writer is closed, and the event would repeat without end.
    if ((mask & EPOLLIN) === 0) this.close();
    else this.#advance();
  }

  onFault(): void {
    this.#registration?.close();
    this.#registration = null;
  }

  resume(): void {
    this.#isWaiting = false;
    if (this.#registration === null) return;
    this.#registration.update(EPOLLIN);
    this.#advance();
  }

  /**
   * Reads what the pipe holds, and closes it: other processes may keep it open. Lines beyond the
   * budget are counted.
   */
  close(): void {
    // Bounded: a process may be writing meanwhile.
    for (let count = 0; count < MAX_FINAL_READS; count++) {
      this.#reportLast();
      if (this.#read() === 0) break;
    }
    this.#registration?.close();
    this.#registration = null;
    this.#finish();
  }

  /** Reports lines until the pipe is empty or another program is due. */
  #advance(): void {
    for (let left = BYTES_PER_TURN; left > 0 && this.#budget.allows(this.user);) {
      const line = this.#takeLine();
      if (line !== null) left -= this.#report(line);
      else if (this.#read() === 0) {
        if (this.#registration === null) this.#finish();
        return;
      }
    }
    this.#isWaiting = true;
    // The end of the last writer cannot be masked (epoll_ctl(2)); edge-triggered, it comes once.
    this.#registration?.update(EPOLLET);
    this.#budget.wait(this);
  }

  /** @returns How many bytes were read; 0 also where the pipe is empty now, or has ended. */
  #read(): number {
    const registration = this.#registration;
    if (registration === null) return 0;
    const count = readPipe(registration.descriptor, chunk);
    if (count > 0) {
      this.#text += this.#decoder.decode(chunk.subarray(0, count), { stream: true });
      return count;
    }
    if (count !== WOULD_BLOCK) {
      this.#registration = null;
      registration.close();
    }
    return 0;
  }

  /** Reports what is left, once nothing is read any more. A second call has nothing left. */
  #finish(): void {
    this.#text += this.#decoder.decode() + "\n";
    this.#reportLast();
    if (this.#lost > 0) this.#sink.lost(this.#lost);
    this.#lost = 0;
  }

  #reportLast(): void {
    for (let line = this.#takeLine(); line !== null; line = this.#takeLine()) {
      // Once a line is left out, all later ones are: the number stands where they are missing.
      if (this.#lost === 0 && this.#budget.allowsLast(this.user)) this.#report(line);
      else this.#lost++;
    }
  }

  /** The next line that is not empty, or a part of a long one; null where none is complete. */
  #takeLine(): string | null {
    let start = 0;
    while (this.#text.charCodeAt(start) === NEWLINE) start++;
    const end = this.#text.indexOf("\n", start);
    const length = (end < 0 ? this.#text.length : end) - start;
    if (length > MAX_LINE_LENGTH || end >= 0 && length > 0) {
      const stop = start + Math.min(length, MAX_LINE_LENGTH);
      const line = this.#text.slice(start, stop);
      this.#text = this.#text.slice(stop);
      return line;
    }
    if (start > 0) this.#text = this.#text.slice(start);
    return null;
  }

  /** @returns What it costs, in bytes of the log. */
  #report(line: string): number {
    const bytes = LINE_OVERHEAD_BYTES + renderedLength(line);
    this.#budget.spend(this.user, bytes);
    this.#sink.line(line);
    return bytes;
  }
}

/** The length of a text in the log, where a control character takes 6 bytes; never too low. */
function renderedLength(text: string): number {
  return text.length + 5 * (text.match(/[^\x20-\x7e]|["\\]/g)?.length ?? 0);
}

const NEWLINE = 0x0a;
const chunk = new Uint8Array(8 * 1024);
