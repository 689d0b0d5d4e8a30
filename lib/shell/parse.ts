/**
 * A line typed at the console → a command: pure. A keyword may be abbreviated to an unambiguous
 * beginning.
 *
 * @module
 */
import { didYouMean } from "../text/nearest.ts";
import { type ConsoleCommand, GRAMMAR, type Grammar, type Node } from "./grammar.ts";
import { splitLine } from "./line_words.ts";

/** A line that is not a command. The message names the wrong word, as it was typed. */
export class ParseError extends Error {
  override readonly name = "ParseError";
  /** The next step. */
  readonly hint: string;

  constructor(message: string, hint = "help") {
    super(message);
    this.hint = hint;
  }
}

/** A line as a command, and what follows it behind each `|`. */
export interface ParseResult {
  readonly command: ConsoleCommand;
  readonly filters: readonly (readonly string[])[];
}

/** Whether a line is blank, or a comment as in scripts (`#`) and in configurations (`!`). */
export function isBlankOrComment(line: string): boolean {
  return /^\s*([#!].*)?$/.test(line);
}

/**
 * Parses a line.
 *
 * @throws {ParseError} When it is not a command, or a quote is not closed.
 */
export function parseLine(line: string, grammar: Grammar = GRAMMAR): ParseResult {
  const { parts: [words, ...filters], quote } = splitLine(line);
  if (quote !== null) throw new ParseError(`the quote ${quote} is not closed`);
  return { command: parseCommand(words!, grammar), filters };
}

function parseCommand(words: readonly string[], { root }: Grammar): ConsoleCommand {
  const filled: Record<string, string> = {};
  let node = root;
  for (const word of words) {
    const next = step(node, word);
    if (next === null) throw new ParseError(unknownWord(node, word), hintFor(word));
    if (next.slot !== null) filled[next.slot] = word;
    node = next.node;
  }
  if (node.command === null) throw new ParseError(`something is missing: ${expected(node)}`);
  return { kind: node.command.kind, words: { ...filled, ...node.command.words } };
}

function hintFor(word: string): string {
  return word.includes("|") ? "a blank stands before the | of a filter" : "help";
}

/**
 * Follows one word down the tree.
 *
 * @returns The next node and the name of the slot that the word fills; null when no word fits.
 * @throws {ParseError} When the word is the beginning of several keywords.
 */
export function step(
  node: Node,
  word: string,
): { readonly node: Node; readonly slot: string | null } | null {
  const exact = node.keywords.get(word);
  if (exact !== undefined) return { node: exact, slot: null };
  const near = [...node.keywords.keys()].filter((keyword) => keyword.startsWith(word));
  if (near.length > 1) throw new ParseError(`"${word}" may mean ${near.join(" or ")}`);
  if (near.length === 1) return { node: node.keywords.get(near[0]!)!, slot: null };
  return node.slot === null ? null : { node: node.slot.next, slot: node.slot.name };
}

/** The message for a word that fits nowhere. */
function unknownWord(node: Node, word: string): string {
  const more = expected(node);
  if (more === "") return `"${word}" is one word too many`;
  const near = didYouMean(word, node.keywords.keys());
  return `"${word}" does not fit here: ${more}${node.keywords.size > 1 ? near : ""}`;
}

/** The words that may stand at a node, for a message. */
function expected(node: Node): string {
  const words = [...node.keywords.keys(), ...node.slot ? [`<${node.slot.name}>`] : []];
  return words.length === 0 ? "" : `expected ${words.join(", ")}`;
}
