/**
 * What `?` prints: the words that may come next, each with a line of explanation. Pure.
 *
 * @module
 */
import { wrapWords } from "../text/cell_width.ts";
import { FILTERS } from "./filter.ts";
import type { Grammar, Node } from "./grammar.ts";
import { splitLine } from "./line_words.ts";
import { ParseError, step } from "./parse.ts";

/** What Enter is called. */
const ENTER = "<enter>";

/** The narrowest column of explanations, in cells, with the blanks before it. */
const MIN_HELP_WIDTH = 20;

/** A word that may come next, and what it means. */
type Row = readonly [word: string, explanation: string];

/**
 * Explains what may follow a line.
 *
 * @param line The line up to the cursor. Where it ends within a word, the words that begin so are
 * explained, otherwise all that may follow.
 * @param columns The width of the terminal; null where it is not known.
 * @returns Lines, each with its newline.
 */
export function explain(line: string, grammar: Grammar, columns: number | null = null): string {
  const { parts, begun } = splitLine(line);
  const words = [...parts.at(-1)!];
  const last = begun === "" ? "" : words.pop()!;
  try {
    const rows = parts.length > 1 ? filterRows(words, last) : commandRows(words, last, grammar);
    return rows.length === 0 ? "nothing fits here\n" : renderRows(rows, columns);
  } catch (error) {
    if (error instanceof ParseError) return `${error.message}\n`;
    throw error;
  }
}

function commandRows(words: readonly string[], begun: string, { root }: Grammar): Row[] {
  let node = root;
  for (const word of words) {
    const next = step(node, word);
    if (next === null) throw new ParseError(`"${word}" does not fit here`);
    node = next.node;
  }
  const keywords = [...node.keywords].map(([word, { explanation }]): Row => [word, explanation]);
  const slot = slotRows(node);
  if (begun !== "") {
    const near = keywords.filter(([word]) => word.startsWith(begun));
    return near.length > 0 ? near : slot;
  }
  const enter: Row[] = node.command === null ? [] : [[ENTER, node.effect || "run the command"]];
  const filter: Row[] = node.command === null ? [] : [["|", "filter the output"]];
  return [...keywords, ...slot, ...enter, ...filter];
}

function slotRows({ slot }: Node): Row[] {
  return slot === null ? [] : [[`<${slot.name}>`, slot.next.explanation]];
}

function filterRows(words: readonly string[], begun: string): Row[] {
  if (words.length === 0) {
    return FILTERS.filter(({ name }) => name.startsWith(begun))
      .map(({ name, takesPattern, help }) => [takesPattern ? `${name} <pattern>` : name, help]);
  }
  const named = FILTERS.find(({ name }) => name === words[0]);
  if (named === undefined) throw new ParseError(`"${words[0]}" is no filter`);
  const pattern: Row[] = named.takesPattern
    ? [["<pattern>", "a regular expression, such as bob|alice; in quotes it may hold ? and |"]]
    : [];
  if (begun !== "") return pattern;
  const complete = !named.takesPattern || words.length > 1;
  return complete ? [...pattern, [ENTER, named.help], ["|", "filter again"]] : pattern;
}

function renderRows(rows: readonly Row[], columns: number | null): string {
  const width = Math.max(...rows.map(([word]) => word.length));
  const isNarrow = columns !== null && columns - width < MIN_HELP_WIDTH;
  const indent = " ".repeat(isNarrow ? 6 : width + 4);
  return rows.map(([word, help]) =>
    wrapWords(`  ${word.padEnd(isNarrow ? 0 : width)}  ${help}`, columns, indent) + "\n"
  ).join("");
}
