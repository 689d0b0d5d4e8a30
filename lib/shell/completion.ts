/**
 * The candidates that the Tab key offers: pure.
 *
 * @module
 */
import { GRAMMAR, type Slot } from "./grammar.ts";
import { ParseError, splitWords, step } from "./parse.ts";

/** The server's data that completes words of commands. */
export interface CompletionData {
  readonly users: readonly string[];
}

const FIELDS = ["uid", "gid", "local_ipc_access", "admin"];
const FLAGS = ["true", "false"];

/**
 * The words that may follow, or complete, a line.
 *
 * @param line The line up to the cursor.
 * @returns The candidates, and the beginning of the word that they complete; it is empty after a
 * blank.
 */
export function complete(line: string, data: CompletionData): [string[], string] {
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
    ...node.slot === null ? [] : slotWords(node.slot.kind, field, data),
  ];
  return [offers.filter((word) => word.startsWith(begun)), begun];
}

function slotWords(slot: Slot, field: string, data: CompletionData): readonly string[] {
  switch (slot) {
    case "user":
    case "who":
      return data.users;
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
