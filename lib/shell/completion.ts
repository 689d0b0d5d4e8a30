/**
 * The candidates that the Tab key offers.
 *
 * @module
 */
import { FILTERS } from "./filter.ts";
import { GRAMMAR, type Grammar, type Node, type Slot } from "./grammar.ts";
import { quoteWord, splitLine } from "./line_words.ts";
import { ParseError, step } from "./parse.ts";

/** The server's data that completes words of commands. Each is asked for when it is needed. */
export interface CompletionData {
  users(): Promise<readonly string[]>;
  groups(): Promise<readonly string[]>;
  sessions(): Promise<readonly string[]>;
}

const FIELDS = ["uid", "gid", "local_ipc_access", "admin"];
const FLAGS = ["true", "false"];

/**
 * The words that may follow, or complete, a line.
 *
 * @param line The line up to the cursor.
 * @returns The candidates, in quotes where they need them, and the beginning of the word that they
 * complete, as it was typed; it is empty after a blank.
 */
export async function complete(
  line: string,
  data: CompletionData,
  grammar: Grammar = GRAMMAR,
): Promise<[string[], string]> {
  const { parts, begun } = splitLine(line);
  const words = parts.at(-1)!.slice(0, begun === "" ? undefined : -1);
  const offers = parts.length > 1
    ? words.length > 0 ? [] : FILTERS.map(({ name }) => name)
    : await offersAfter(words, data, grammar);
  const mark = /^["']/.test(begun) ? begun[0]! : null;
  const spelled = offers.map((word) => quoteWord(word, mark));
  return [spelled.filter((word) => word.startsWith(begun)), begun];
}

/** The words that may follow others; none where those are no beginning of a command. */
async function offersAfter(
  words: readonly string[],
  data: CompletionData,
  { root, rules }: Grammar,
): Promise<readonly string[]> {
  let node: Node = root;
  let field = "";
  for (const word of words) {
    try {
      const next = step(node, word);
      if (next === null) return [];
      if (next.slot === "field") field = word;
      node = next.node;
    } catch (error) {
      if (error instanceof ParseError) return [];
      throw error;
    }
  }
  const filled = node.slot === null
    ? []
    : node.slot.kind === "topic"
    ? [...new Set(rules.map(({ pattern }) => pattern.split(" ")[0]!)), "|"]
    : await slotWords(node.slot.kind, field, data);
  return [...node.keywords.keys(), ...filled];
}

async function slotWords(
  slot: Slot,
  field: string,
  data: CompletionData,
): Promise<readonly string[]> {
  switch (slot) {
    case "user":
    case "who":
      return await data.users();
    case "group":
      return await data.groups();
    case "session":
      return await data.sessions();
    case "field":
      return FIELDS;
    case "flag":
      return FLAGS;
    case "value":
      return field === "uid" ? [] : field === "gid" ? ["none"] : FLAGS;
    default:
      return [];
  }
}
