/**
 * A parser of the help texts that `ipcauth help` prints; the manual pages are made of their parts.
 *
 * A text is blocks, separated by empty lines. `Usage:`, `Global flags:`, `Exit codes:` and
 * `Examples:` at the beginning name the kind of a block. A block whose lines are all indented is a
 * list: terms, and their meanings in a second column. Every other block is a paragraph.
 */

/** A term and its meaning, which may be empty. */
export interface Item {
  readonly term: string;
  readonly meaning: string;
}

/** The parts of a help text. */
export interface HelpText {
  /** Lines of the synopsis, to be printed verbatim. */
  readonly usage: readonly string[];
  /** The commands in the usage of the overview. */
  readonly commands: readonly Item[];
  /** Paragraphs, and lists of terms that are not options, in the order of the text. */
  readonly description: readonly (string | readonly Item[])[];
  readonly options: readonly Item[];
  readonly exit: string | readonly Item[] | null;
  readonly examples: readonly string[];
}

/** Parses a help text. Every word of it is in the result. */
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
    } else if (first === "Global flags:") help.options.push(...parseItems(rest));
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

/** Joins lines to one; the manual page breaks it again. */
function joinLines(text: string): string {
  return text.split("\n").map((line) => line.trim()).join(" ");
}

/** Parses two columns. A line that begins in the second column continues the meaning before it. */
function parseItems(lines: readonly string[]): Item[] {
  const found: { term: string; meaning: string }[] = [];
  for (const line of lines) {
    const last = found.at(-1);
    if (/^ {3,}/.test(line) && last !== undefined) {
      last.meaning = `${last.meaning} ${line.trim()}`.trim();
      continue;
    }
    const [term, ...meaning] = line.trim().split(/ {2,}/) as [string, ...string[]];
    // Options in one line, without meanings: each is a term.
    if (meaning.length > 0 && meaning.every((part) => part.startsWith("-"))) {
      found.push(...[term, ...meaning].map((term) => ({ term, meaning: "" })));
    } else found.push({ term, meaning: meaning.join(" ") });
  }
  return found;
}

/** Parses numbers with their meanings, several in a line. */
function parseExitCodes(text: string): Item[] {
  return [...text.matchAll(/(\d+) (.+?)(?= {2,}|$)/g)]
    .map(([, term, meaning]) => ({ term: term!, meaning: meaning! }));
}
