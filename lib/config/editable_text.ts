/**
 * A text that edits are made in: its lines, and copies with other characters.
 *
 * @module
 */

/** U+FEFF, which may begin a file. */
export const BYTE_ORDER_MARK = "\ufeff";

/** Characters to remove: from the first offset to before the second. */
export type TextRange = readonly [number, number];

/** A text. All offsets count UTF-16 code units. */
export class EditableText {
  readonly content: string;
  /** The newline of the text: CR LF where it has any, else LF. */
  readonly newline: string;

  constructor(text: string) {
    this.content = text;
    this.newline = text.includes("\r\n") ? "\r\n" : "\n";
  }

  /** The text with other characters in the place of those from `start` to before `end`. */
  replace(start: number, end: number, by: string): string {
    return this.content.slice(0, start) + by + this.content.slice(end);
  }

  /** The text without some of its characters. The cuts do not overlap. */
  cut(cuts: readonly TextRange[]): string {
    return cuts.toSorted(([one], [other]) => other - one)
      .reduce((text, [start, end]) => text.slice(0, start) + text.slice(end), this.content);
  }

  /** The offset of the first character of a line. */
  lineStart(offset: number): number {
    return this.content.lastIndexOf("\n", offset - 1) + 1;
  }

  /** The end of the line of a character, before its newline. */
  lineEnd(offset: number): number {
    const end = this.content.indexOf("\n", offset);
    if (end < 0) return this.content.length;
    return this.content[end - 1] === "\r" ? end - 1 : end;
  }

  /** The offset of the line after that of a character. */
  nextLine(offset: number): number {
    const end = this.content.indexOf("\n", offset);
    return end < 0 ? this.content.length : end + 1;
  }

  /** As many blanks as there are characters before a character in its line. */
  indentOf(offset: number): string {
    const line = this.content.slice(this.lineStart(offset), offset);
    return " ".repeat(line.replace(BYTE_ORDER_MARK, "").length);
  }

  /** Whether there are only blanks and tabs between two offsets. */
  isBlank(start: number, end: number): boolean {
    return /^[ \t]*$/.test(this.content.slice(start, end));
  }

  /** The end of the blanks at an offset. Blanks before a comment stay: YAML requires one. */
  skipBlanks(offset: number): number {
    let end = offset;
    while (this.content[end] === " ") end++;
    return this.content[end] === "#" ? offset : end;
  }

  /**
   * The whole lines of the characters between two offsets. A comment after them belongs to them.
   *
   * @returns Null when other characters stand on these lines, or they begin the text.
   */
  ownLines(start: number, end: number): TextRange | null {
    const from = this.lineStart(start);
    const rest = this.content.slice(end, this.lineEnd(end));
    const isAlone = this.isBlank(from, start) && /^[ \t]*($|[ \t]#)/.test(rest);
    return isAlone && from > 0 ? [from, this.nextLine(end)] : null;
  }
}
