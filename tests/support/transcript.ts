/**
 * Transcripts in Markdown: fenced blocks of commands and what they print.
 *
 * A fence's first word says what its block is:
 *
 * - `console`: lines `# command` (root), `$ command` (the unlisted user `visitor`), and
 *   `alice$ command` or `bob$ command`, each followed by what the command prints to standard output
 *   and standard error. A line `NAME@ipcauth# …`, also with a mode as in
 *   `NAME@ipcauth(config)# …`, is typed at the console's prompt; such a command runs in a terminal.
 * - `console running`: one command that goes on running, and the first lines that it prints. The
 *   test waits for them, or for one line where there are none.
 * - `console not-run`: commands that a test cannot run.
 * - `log`: lines that the first running command prints next. The test waits for them.
 * - `yaml PATH`, or another word and a path: a file, written before the next block is run.
 * - `yaml`: a configuration that is only parsed.
 * - `text`: no commands.
 *
 * Expected output may hold placeholders: `HOST`, `PID`, `TIME`, `KEY-ID` (the same id at each place
 * of a document), `…` within a line for any text, and a line `…` for any number of lines. Two or
 * more spaces match two or more spaces, because the width of a column follows its values.
 *
 * @module
 */

/** A fenced block of a document. */
export interface Block {
  /** What stands behind the opening fence, such as `console running`. */
  readonly info: string;
  /** The line of the opening fence, counted from 1. */
  readonly line: number;
  readonly text: string;
}

/** A command and what it prints. */
export interface Step {
  /** The user who types it. */
  readonly user: string;
  readonly command: string;
  /** The lines that are typed at the console's prompt, with their prompts. */
  readonly typed: readonly { readonly prompt: string; readonly text: string }[];
  readonly expected: string;
}

/**
 * Finds the fenced blocks of a document.
 *
 * @param markdown The document.
 * @throws {Error} When a fence is not closed.
 */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const fence = /^```(.*)$/.exec(lines[index]!);
    if (fence === null) continue;
    const end = lines.indexOf("```", index + 1);
    if (end < 0) throw new Error(`the fence of line ${index + 1} is not closed`);
    const text = lines.slice(index + 1, end).map((line) => `${line}\n`).join("");
    blocks.push({ info: fence[1]!.trim(), line: index + 1, text });
    index = end;
  }
  return blocks;
}

/**
 * Splits a console block into commands.
 *
 * @throws {Error} When the block does not begin with a command.
 */
export function stepsOf(block: Block): Step[] {
  const steps: {
    user: string;
    command: string;
    typed: Step["typed"][number][];
    expected: string;
  }[] = [];
  let continued = false;
  for (const line of block.text.split("\n").slice(0, -1)) {
    const last = steps.at(-1);
    if (continued && last !== undefined) {
      last.command += `\n${line}`;
      continued = line.endsWith("\\");
      continue;
    }
    const prompt = /^(#|\$|[a-z]+\$) (.*)$/.exec(line);
    if (prompt !== null) {
      steps.push({ user: userOf(prompt[1]!), command: prompt[2]!, typed: [], expected: "" });
      continued = line.endsWith("\\");
      continue;
    }
    if (last === undefined) {
      throw new Error(`the block of line ${block.line} begins without a command`);
    }
    const typed = /^([a-z]+@ipcauth(?:\([a-z-]+\))?# )(.*)$/.exec(line);
    if (typed !== null) last.typed.push({ prompt: typed[1]!, text: typed[2]! });
    last.expected += `${line}\n`;
  }
  return steps;
}

function userOf(prompt: string): string {
  if (prompt === "#") return "root";
  return prompt === "$" ? "visitor" : prompt.slice(0, -1);
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
const PLACEHOLDER = /^…\n|…| {2,}|\b(?:HOST|PID|TIME|KEY-ID)\b/gm;

/** Compares outputs with what a document expects. The key id is learned from the first output. */
export class OutputPattern {
  readonly #host: string;
  #keyId: string | null = null;

  /** @param host The name of this machine. */
  constructor(host: string) {
    this.#host = host;
  }

  /**
   * Matches an output from its beginning.
   *
   * @param expected Lines of a document.
   * @param whole Whether nothing may follow.
   * @returns How many characters match, or null when the output differs.
   */
  match(expected: string, output: string, whole: boolean): number | null {
    let keyIds = 0;
    let source = "";
    let end = 0;
    for (const { 0: word, index } of expected.matchAll(PLACEHOLDER)) {
      source += literal(expected.slice(end, index));
      end = index + word.length;
      if (word === "KEY-ID") {
        source += this.#keyId ?? (keyIds++ === 0 ? "(?<keyId>[0-9a-f]{16})" : "\\k<keyId>");
      } else source += this.#sourceOf(word);
    }
    source += literal(expected.slice(end));
    const found = new RegExp(`^${source}${whole ? "$" : ""}`, "u").exec(output);
    if (found === null) return null;
    this.#keyId ??= found.groups?.keyId ?? null;
    return found[0].length;
  }

  #sourceOf(placeholder: string): string {
    switch (placeholder) {
      case "…\n":
        return "(?:.*\\n)*?";
      case "…":
        return ".*";
      case "PID":
        // The header of a table, or a number.
        return "(?:PID|\\d+)";
      case "TIME":
        return `(?:TIME|${TIME})`;
      case "HOST":
        // `HOST:PORT` also stands in the program's own texts.
        return `(?:HOST|${literal(this.#host)})`;
      default:
        return " {2,}";
    }
  }
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
