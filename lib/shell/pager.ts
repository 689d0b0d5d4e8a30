/**
 * Stops output when the screen is full, as `more(1)` does. It runs no program, so `PAGER` has no
 * say: `connect` may not start one.
 *
 * @module
 */
import { cellWidth, shorten } from "../text/cell_width.ts";
import type { KeyEvent } from "./key_splitter.ts";

/** What a pager writes to. */
export interface PagerOutput {
  /** The size at this moment, in cells; null where it is not known. */
  size(): { readonly columns: number; readonly rows: number } | null;
  /** Writes text, which ends with a newline. */
  out(text: string): void;
  /** Writes the pager's own line, and what moves the cursor. */
  control(text: string): void;
}

const STATUS = "-- more -- space: page, enter: line, q: end";
/** To the first column, and nothing behind it (ECMA-48). */
const CLEAR_LINE = "\r\x1b[K";

const PAGE_DOWN = "\x1b[6~";
const DOWN = "\x1b[B";
/** What is shown after a key; null for all that is left. */
const KEYS: Readonly<Record<string, "page" | "line" | "end" | "rest">> = {
  " ": "page",
  "f": "page",
  [PAGE_DOWN]: "page",
  "\r": "line",
  "j": "line",
  [DOWN]: "line",
  "q": "end",
  "Q": "end",
  "G": "rest",
};

// deno-lint-ignore no-control-regex -- what colours a text
const COLOR = /\x1b\[\d+m/g;

/** Shows one text at a time. */
export class Pager {
  readonly #output: PagerOutput;
  /** The lines that have not been shown, without their newlines. */
  #lines: string[] = [];
  #done: (() => void) | null = null;

  constructor(output: PagerOutput) {
    this.#output = output;
  }

  /** Whether it waits for a key. */
  get isActive(): boolean {
    return this.#done !== null;
  }

  /** Shows a text. Resolves when all of it has been shown, or its end was asked for. */
  async show(text: string): Promise<void> {
    const size = this.#output.size();
    const lines = text.replace(/\n$/, "").split("\n");
    const rows = size === null ? 0 : countRows(lines, size.columns);
    if (size === null || rows < size.rows) return this.#output.out(text);
    this.#lines = lines;
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.#showRows(size.rows - 1);
    });
  }

  /**
   * Takes a key.
   *
   * @returns Whether it is one for the pager. Text that was pasted or typed ahead is not: it is for
   * the prompt, and all that is left is shown.
   */
  takes({ text, pasted }: KeyEvent): boolean {
    if (!this.isActive) return false;
    const isText = text.length > 1 && !text.startsWith("\x1b") && new Set(text).size > 1;
    if (!pasted && !isText) return true;
    this.#showRest();
    return false;
  }

  /** Does what a key says. */
  onKey({ text }: KeyEvent): void {
    for (const key of text.startsWith("\x1b") ? [text] : text) {
      if (!this.isActive) return;
      const command = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
      if (command === "page") this.#showRows(Math.max(1, (this.#output.size()?.rows ?? 2) - 1));
      if (command === "line") this.#showRows(1);
      if (command === "rest") this.#showRest();
      if (command === "end") this.end();
    }
  }

  /** Draws the pager's own line again, after a resize or on another screen. */
  redraw(): void {
    if (!this.isActive) return;
    const columns = this.#output.size()?.columns ?? STATUS.length + 1;
    this.#output.control(CLEAR_LINE + shorten(STATUS, columns - 1));
  }

  /** Shows no more of the text. */
  end(): void {
    if (this.#done === null) return;
    this.#output.control(CLEAR_LINE);
    this.#lines = [];
    const done = this.#done;
    this.#done = null;
    done();
  }

  #showRest(): void {
    this.#showRows(Infinity);
  }

  /** Shows as many lines as fit some rows, at least one. */
  #showRows(rows: number): void {
    const columns = this.#output.size()?.columns ?? Infinity;
    let count = 0;
    for (let left = rows; count < this.#lines.length; count++) {
      left -= countRows([this.#lines[count]!], columns);
      if (left < 0 && count > 0) break;
    }
    this.#output.control(CLEAR_LINE);
    this.#output.out(this.#lines.slice(0, count).map((line) => line + "\n").join(""));
    this.#lines = this.#lines.slice(count);
    if (this.#lines.length === 0) this.end();
    else this.redraw();
  }
}

/** How many rows of the screen lines take: the terminal breaks one that is longer. */
function countRows(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => {
    const width = cellWidth(line.replaceAll(COLOR, ""));
    return sum + Math.max(1, Math.ceil(width / columns));
  }, 0);
}
