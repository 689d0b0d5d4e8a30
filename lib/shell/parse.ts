/**
 * A line typed at the console → a command: pure. A keyword may be abbreviated to an unambiguous
 * beginning.
 *
 * @module
 */
import { didYouMean } from "../text/nearest.ts";
import { type ConsoleCommand, GRAMMAR, type Node } from "./grammar.ts";

/** A line that is not a command. The message names the wrong word, as it was typed. */
export class ParseError extends Error {
  override readonly name = "ParseError";
}

/** The words of a line, which blanks separate. */
export function splitWords(line: string): string[] {
  return line.trim().split(/\s+/).filter((word) => word !== "");
}

/** Whether a line is blank, or a comment as in scripts (`#`) and in configurations (`!`). */
export function isBlankOrComment(line: string): boolean {
  return /^\s*([#!].*)?$/.test(line);
}

/**
 * Parses a line.
 *
 * @throws {ParseError} When it is not a command.
 */
export function parseLine(line: string): ConsoleCommand {
  const filled: Record<string, string> = {};
  let node = GRAMMAR;
  for (const word of splitWords(line)) {
    const next = step(node, word);
    if (next === null) throw new ParseError(unknownWord(node, word));
    if (next.slot !== null) filled[next.slot] = word;
    node = next.node;
  }
  if (node.command === null) throw new ParseError(`something is missing: ${expected(node)}`);
  return { kind: node.command.kind, words: { ...filled, ...node.command.words } };
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
