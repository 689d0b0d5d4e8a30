/**
 * The help texts taken apart: what `ipcauth help` prints has a shape, and a manual page wants its parts.
 *
 * A text is blocks with empty lines between them. `Usage:`, `Everywhere:`, `Exit codes:` and `Examples:` say what a block is;
 * one whose lines are all indented is a list of terms, each with its explanation in a second column; the rest are paragraphs.
 */

/** A term and what it means; the meaning may be empty. */
export interface Item {
  readonly term: string;
  readonly meaning: string;
}

/** A help text. */
export interface HelpText {
  /** Lines, as they are to be shown. */
  readonly usage: readonly string[];
  /** What stands in the usage of the overview: commands. */
  readonly commands: readonly Item[];
  /** In their order: text, and lists of what are no options. */
  readonly description: readonly (string | readonly Item[])[];
  readonly options: readonly Item[];
  readonly exit: string | readonly Item[] | null;
  readonly examples: readonly string[];
}

/** Takes a text apart. Nothing of it is lost. */
export function parseHelp(text: string): HelpText {
  const help = {
    usage: [] as string[],
    commands: [] as Item[],
    description: [] as (string | Item[])[],
    options: [] as Item[],
    exit: null as string | Item[] | null,
    examples: [] as string[],
  };
  for (const block of text.trimEnd().split(/\n\n+/)) {
    const [first, ...rest] = block.split("\n") as [string, ...string[]];
    if (first === "Usage:") help.commands = parseItems(rest);
    else if (first.startsWith("Usage: ")) {
      help.usage = [first, ...rest].map((line) => line.slice(7));
    } else if (first === "Everywhere:") help.options.push(...parseItems(rest));
    else if (first === "Exit codes:") help.exit = parseExitCodes(rest.join("  "));
    else if (first.startsWith("Exit codes: ")) help.exit = joinLines(block.slice(12));
    else if (first === "Examples:") help.examples = rest.map((line) => line.slice(2));
    else if (block.split("\n").every((line) => line.startsWith("  "))) {
      const list = parseItems(block.split("\n"));
      if (list.some(({ term }) => term.startsWith("-"))) help.options.push(...list);
      else help.description.push(list);
    } else help.description.push(joinLines(block));
  }
  return help;
}

/** Lines become one, which breaks where the page wants it to. */
function joinLines(text: string): string {
  return text.split("\n").map((line) => line.trim()).join(" ");
}

/** Two columns; a line that begins in the second one goes on with the meaning before it. */
function parseItems(lines: readonly string[]): Item[] {
  const found: { term: string; meaning: string }[] = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (/^ {3,}/.test(line) && last !== undefined) {
      last.meaning = `${last.meaning} ${line.trim()}`.trim();
      continue;
    }
    const [term, ...meaning] = line.trim().split(/ {2,}/) as [string, ...string[]];
    // Options side by side are each a term of their own.
    if (meaning.length > 0 && meaning.every((part) => part.startsWith("-"))) {
      found.push(...[term, ...meaning].map((term) => ({ term, meaning: "" })));
    } else found.push({ term, meaning: meaning.join(" ") });
  }
  return found;
}

/** Numbers with their meanings, several in a line. */
function parseExitCodes(text: string): Item[] {
  return [...text.matchAll(/(\d+) (.+?)(?= {2,}|$)/g)]
    .map(([, term, meaning]) => ({ term: term!, meaning: meaning! }));
}
