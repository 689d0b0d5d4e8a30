/**
 * The terminal's keys, one at a time, on their way to `node:readline`.
 *
 * A key waits while a line runs, and is then for whatever reads next: the prompt, or the pager. So
 * nothing that is typed ahead or pasted is lost, and none is shown where it does not belong.
 *
 * `process.stdin` opens the terminal's file a second time. A user who was given the terminal by
 * another one (`su`, `sudo`, `run-as`) lacks permission for that, and Deno 2.9.6 then reads
 * nothing. Reading the inherited descriptor works, so this module does that.
 *
 * @module
 */
import { EventEmitter } from "node:events";
import { Failure } from "../errors.ts";
import { type KeyEvent, KeySplitter } from "./key_splitter.ts";

/** What is done with keys. */
export interface KeyHandler {
  /** Whether a key waits, and those behind it. */
  holds(key: KeyEvent): boolean;
  /** A key before it waits. @returns Whether it has been used, and waits no more. */
  onTyped(key: KeyEvent): boolean;
  /** A key whose turn it is. @returns Whether it has been used, and is not for the prompt. */
  onKey(key: KeyEvent): boolean;
}

/** What `node:readline` needs of its input, which hands each key on before `emit` returns. */
class KeyStream extends EventEmitter {
  readonly isTTY = true;
  #paused = false;

  get isPaused(): boolean {
    return this.#paused;
  }

  pause(): this {
    this.#paused = true;
    return this;
  }

  resume(): this {
    this.#paused = false;
    this.emit("resume");
    return this;
  }

  setRawMode(raw: boolean): this {
    setRaw(raw);
    return this;
  }
}

/** Standard input. */
export class TerminalInput {
  readonly #stream = new KeyStream();
  readonly #handler: KeyHandler;
  readonly #waiting: KeyEvent[] = [];
  #ended = false;
  #passing = false;

  constructor(handler: KeyHandler) {
    this.#handler = handler;
    // Readline pauses its input while it completes a word.
    this.#stream.on("resume", () => this.pass());
  }

  /** For `node:readline`, which switches it to raw mode. */
  get stream(): NodeJS.ReadableStream {
    return this.#stream as unknown as NodeJS.ReadableStream;
  }

  /** Whether the terminal has gone: in raw mode nothing else ends its keys. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Whether a pasted key waits, or one that ends a line. */
  get hasLines(): boolean {
    return this.#waiting.some(({ text, pasted }) => pasted || text === "\r");
  }

  /** Reads keys until the terminal ends. */
  async read(): Promise<void> {
    const splitter = new KeySplitter();
    try {
      for await (const bytes of Deno.stdin.readable) {
        for (const key of splitter.push(bytes)) {
          if (!key.pasted && this.#handler.onTyped(key)) continue;
          this.#waiting.push(key);
          this.pass();
        }
      }
    } catch {
      // EIO: the terminal has hung up, which is its end.
    }
    this.#ended = true;
    this.pass();
  }

  /** Passes on the keys that wait, as far as they may be. */
  pass(): void {
    // A key's handler may call this.
    if (this.#passing) return;
    this.#passing = true;
    try {
      while (!this.#stream.isPaused) {
        const [key] = this.#waiting;
        if (key === undefined) {
          if (this.#ended) this.#stream.emit("end");
          break;
        }
        if (this.#handler.holds(key)) break;
        this.#waiting.shift();
        if (!this.#handler.onKey(key)) this.#stream.emit("data", key.text);
      }
    } finally {
      this.#passing = false;
    }
  }

  /** Drops the keys that wait. */
  clear(): void {
    this.#waiting.length = 0;
  }
}

/** Switches raw mode, in which each key is read at once and none is a signal. */
export function setRaw(raw: boolean): void {
  try {
    Deno.stdin.setRaw(raw);
  } catch (error) {
    if (!isHangUp(error)) throw error;
  }
}

/** Whether an error is that of a terminal that has hung up: it has no modes, and takes no text. */
export function isHangUp(error: unknown): boolean {
  const cause = error instanceof Failure ? error.cause : error;
  if (!(cause instanceof Error)) return false;
  // The error of `setRaw` has no code (Deno 2.9.6).
  return "code" in cause ? cause.code === "EIO" : cause.message.startsWith("EIO:");
}
