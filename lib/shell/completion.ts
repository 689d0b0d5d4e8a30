/**
 * What the Tab key offers: pure.
 *
 * @module
 */
import { GRAMMAR, type Slot } from "./grammar.ts";
import { ParseError, splitWords, step } from "./parse.ts";

/** What is known of the server's users, for the slots of commands. */
export interface CompletionData {
  readonly users: readonly string[];
}

const FIELDS = ["uid", "gid", "local_ipc_access", "admin"];
const FLAGS = ["true", "false"];

/**
 * The words that may stand where the line ends.
 *
 * @param line What is typed so far.
 * @returns The candidates, and the beginning of the word that they complete.
 */
export function complete(line: string, known: CompletionData): [string[], string] {
  const words = splitWords(line);
  const begun = /\s$/.test(line) || words.length === 0 ? "" : words.pop()!;
  let node = GRAMMAR;
  let field = "";
  for (const word of words) {
    try {
      const next = step(node, word);
      if (next === null) return [[], begun];
      if (next.slot === "field") field = word;
      node = next.node;
    } catch (error) {
      if (error instanceof ParseError) return [[], begun];
      throw error;
    }
  }
  const offers = [
    ...node.keywords.keys(),
    ...node.slot === null ? [] : slotWords(node.slot.kind, field, known),
  ];
  return [offers.filter((word) => word.startsWith(begun)), begun];
}

function slotWords(slot: Slot, field: string, known: CompletionData): readonly string[] {
  switch (slot) {
    case "user":
    case "who":
      return known.users;
    case "field":
      return FIELDS;
    case "flag":
      return FLAGS;
    case "value":
      return field === "uid" || field === "gid" ? [] : FLAGS;
    default:
      return [];
  }
}
