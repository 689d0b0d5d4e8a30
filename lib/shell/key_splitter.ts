/**
 * What a terminal sends → keys: pure, but for the bytes that wait for their end.
 *
 * A terminal that has been asked to (`CSI ? 2004 h`, xterm's bracketed paste) marks the beginning
 * and the end of a paste, so that pasted text is never taken for keys.
 *
 * @module
 */

/** A key, or text that was typed or pasted. */
export interface KeyEvent {
  readonly text: string;
  readonly pasted: boolean;
}

/** The key Enter. */
export const ENTER = "\r";

const PASTE_START = "\x1b[200~";
const PASTE_END = "\x1b[201~";

/** A key that is handled on its own, an escape sequence (ECMA-48), or text up to one of those. */
const TYPED =
  // deno-lint-ignore no-control-regex -- the keys of a terminal are control characters
  /\r\n?|\n|[?\t\x03\x1a]|\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O])|[^\n\r?\t\x03\x1a\x1b]+/y;

/** Splits the bytes of a terminal into keys. */
export class KeySplitter {
  readonly #decoder = new TextDecoder();
  #text = "";
  #pasting = false;

  /** The keys that are complete. The beginning of an escape sequence waits for its end. */
  push(bytes: Uint8Array): KeyEvent[] {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    const keys: KeyEvent[] = [];
    for (;;) {
      const taken = this.#pasting ? this.#takePasted(keys) : this.#takeTyped(keys);
      if (!taken) return keys;
    }
  }

  #takeTyped(keys: KeyEvent[]): boolean {
    TYPED.lastIndex = 0;
    const [text] = TYPED.exec(this.#text) ?? [];
    if (text === undefined) return false;
    this.#text = this.#text.slice(text.length);
    if (text === PASTE_START) this.#pasting = true;
    else keys.push({ text: /^[\r\n]/.test(text) ? ENTER : text, pasted: false });
    return true;
  }

  #takePasted(keys: KeyEvent[]): boolean {
    const end = this.#text.indexOf(PASTE_END);
    // The mark of the end may be cut.
    const until = end >= 0 ? end : this.#text.length - beginningOfEnd(this.#text);
    // A newline at the end of a chunk may be the first half of CR LF.
    const cut = end < 0 && this.#text[until - 1] === "\r" ? until - 1 : until;
    const pieces = this.#text.slice(0, cut).split(/(\r\n?|\n)/);
    for (const [place, piece] of pieces.entries()) {
      const text = place % 2 === 1 ? ENTER : piece.replaceAll("\t", " ").replaceAll(/\p{Cc}/gu, "");
      if (text !== "") keys.push({ text, pasted: true });
    }
    if (end < 0) {
      this.#text = this.#text.slice(cut);
      return false;
    }
    this.#text = this.#text.slice(end + PASTE_END.length);
    this.#pasting = false;
    return true;
  }
}

/** How many characters at the end of a text may begin the mark of a paste's end. */
function beginningOfEnd(text: string): number {
  for (let length = PASTE_END.length - 1; length > 0; length--) {
    if (text.endsWith(PASTE_END.slice(0, length))) return length;
  }
  return 0;
}
