/**
 * The width of text on a terminal, in cells: pure.
 *
 * It is that of Unicode's East Asian Width (UAX #11, wide and full-width) and of emoji that are
 * shown as such by default (UTS #51). Text that comes here has been escaped before, so it has no
 * control character and no joiner.
 *
 * @module
 */

const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97c]|[\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|(?!\p{RI})\p{Emoji_Presentation}/u;
/** Marks that are drawn on the character before, and the middle and last letters of Hangul. */
const COMBINING = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
/** Makes an emoji of the character before: variation selector 16. */
const EMOJI_STYLE = "\ufe0f";
const SKIN_TONE = /\p{Emoji_Modifier}/u;

/** What shortened text ends with. One cell. */
const ELLIPSIS = "…";

/** The width of a text, in cells. */
export function cellWidth(text: string): number {
  // Nearly all texts are.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  let last = 0;
  for (const character of text) {
    last = characterWidth(character, last);
    width += last;
  }
  return width;
}

/** The cells that a character adds. @param last What the one before has added. */
function characterWidth(character: string, last: number): number {
  if (character === EMOJI_STYLE) return last === 1 ? 1 : 0;
  if (COMBINING.test(character)) return 0;
  if (SKIN_TONE.test(character) && last === 2) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** A text with blanks behind it, up to a width. */
export function padCells(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - cellWidth(text)));
}

/** The beginning of a text that fits a width, with an ellipsis where there was more. */
export function shorten(text: string, width: number): string {
  if (cellWidth(text) <= width) return text;
  let used = 0;
  let last = 0;
  let kept = "";
  for (const character of text) {
    last = characterWidth(character, last);
    if (used + last > width - 1) break;
    used += last;
    kept += character;
  }
  return width > 0 ? kept + ELLIPSIS : "";
}

/**
 * Text in lines that fit a width, broken at blanks. A word that is longer has a line of its own.
 *
 * @param text One line.
 * @param width In cells; null for no limit.
 * @param indent What the lines after the first begin with.
 */
export function wrapWords(text: string, width: number | null, indent = ""): string {
  if (width === null || cellWidth(text) <= width) return text;
  const [, start = "", rest = ""] = /^(\s*)(.*)$/s.exec(text) ?? [];
  const lines: string[] = [];
  let line = start;
  for (const word of rest.split(" ")) {
    const blank = line.trim() === "" ? "" : " ";
    if (blank !== "" && cellWidth(line) + 1 + cellWidth(word) > width) {
      lines.push(line);
      line = indent + word;
    } else line += blank + word;
  }
  return [...lines, line].join("\n");
}
