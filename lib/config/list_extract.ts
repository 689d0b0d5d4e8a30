/**
 * An extract of a long list in a YAML text: the file with a few of the list's entries, for the
 * parser that gives places and takes 100 ms for 1,000 entries. Pure.
 *
 * The entries are found by their lines, in block style alone: `users:` at the beginning of a line,
 * and below it one dash an entry. A text in another style has no extract. What is found in an
 * extract is a proposal: an edit is verified in the whole text, and a place is for messages.
 *
 * @module
 */
import { EditableText } from "./editable_text.ts";

/** Where the entries of a list stand. */
interface EntryLines {
  /** The offsets of the lines that begin an entry. */
  readonly starts: readonly number[];
  /** The offset after the last line of the list. */
  readonly end: number;
}

/** Entries that are left out. In their place the extract has a comment on a line of its own. */
interface Hole {
  /** The line with its newline. */
  readonly mark: string;
  /** The offset of the mark in the extract. */
  readonly at: number;
  readonly content: string;
}

/** A text without some of its entries. */
export class ListExtract {
  readonly text: string;
  readonly #holes: readonly Hole[];
  readonly #kept: readonly number[];

  constructor(text: string, holes: readonly Hole[], kept: readonly number[]) {
    this.text = text;
    this.#holes = holes;
    this.#kept = kept;
  }

  /** The index that an entry has in the extract. */
  indexOf(index: number): number {
    return this.#kept.indexOf(index);
  }

  /** The line of the whole text that a line of the extract is. Both are counted from 1. */
  lineOf(line: number): number {
    let offset = 0;
    for (let before = 1; before < line; before++) offset = this.text.indexOf("\n", offset) + 1;
    let found = line;
    for (const { at, content } of this.#holes) {
      if (at < offset) found += content.split("\n").length - 2;
    }
    return found;
  }

  /**
   * The whole text with the changes of an edited extract.
   *
   * @returns Null where the edit has changed a line that stands for what the extract left out.
   */
  expand(edited: string): string | null {
    let from = 0;
    let whole = "";
    for (const { mark, content } of this.#holes) {
      const at = edited.indexOf(mark, from);
      if (at < 0 || at > 0 && edited[at - 1] !== "\n") return null;
      whole += edited.slice(from, at) + content;
      from = at + mark.length;
    }
    return whole + edited.slice(from);
  }
}

/**
 * Makes an extract.
 *
 * @param name The key of the list.
 * @param keep The indexes of the entries that stay, in ascending order; at least one.
 * @returns Null where the text has no such list in block style, or not so many entries.
 */
export function extractOf(
  text: string,
  name: string,
  keep: readonly number[],
): ListExtract | null {
  const lines = entryLines(text, name);
  if (lines === null || keep.length === 0 || keep.at(-1)! >= lines.starts.length) return null;
  const { starts, end } = lines;
  const word = unusedWord(text);
  // An edit writes the newlines that it finds.
  const { newline } = new EditableText(text);
  const holes: Hole[] = [];
  let kept = text.slice(0, starts[0]);
  let next = 0;
  const leaveOut = (to: number): void => {
    const content = text.slice(starts[next] ?? end, starts[to] ?? end);
    if (content === "") return;
    const mark = `# ${word} ${holes.length}${newline}`;
    holes.push({ mark, at: kept.length, content });
    kept += mark;
  };
  for (const index of keep) {
    leaveOut(index);
    kept += text.slice(starts[index], starts[index + 1] ?? end);
    next = index + 1;
  }
  leaveOut(starts.length);
  return new ListExtract(kept + text.slice(end), holes, keep);
}

/** A word that a text does not have. */
function unusedWord(text: string): string {
  let word = "left out";
  while (text.includes(word)) word += "-";
  return word;
}

function entryLines(text: string, name: string): EntryLines | null {
  const header = new RegExp(`^\ufeff?${name}:[ ]*(?:#.*)?\\r?\\n`, "mg");
  const found = header.exec(text);
  if (found === null || header.exec(text) !== null) return null;
  const starts: number[] = [];
  let indent = -1;
  let offset = found.index + found[0].length;
  let end = offset;
  while (offset < text.length) {
    const newline = text.indexOf("\n", offset);
    const next = newline < 0 ? text.length : newline + 1;
    let first = offset;
    while (text[first] === " ") first++;
    const column = first - offset;
    const character = text[first];
    const isBlank = character === "#" || character === "\n" || character === "\r" ||
      first === text.length;
    if (!isBlank) {
      const isDash = character === "-" && (/\s/.test(text[first + 1] ?? " "));
      if (indent < 0 && !isDash) return null;
      if (indent < 0) indent = column;
      if (column < indent || column === indent && !isDash) break;
      if (column === indent) starts.push(offset);
      end = next;
    }
    offset = next;
  }
  return starts.length === 0 ? null : { starts, end };
}
