/**
 * The filters that follow a command, such as `show users | include bob | count`: pure.
 *
 * @module
 */
import { escapeJson } from "../text/escape.ts";
import { didYouMean } from "../text/nearest.ts";
import { Pattern, PatternError } from "../text/pattern.ts";
import { tableText } from "../text/table.ts";
import { type Answer, answerText, textAnswer } from "./answer.ts";
import { ParseError } from "./parse.ts";
import { PLAIN } from "../text/view.ts";

/** A filter of an answer. */
export interface Filter {
  readonly name: "include" | "exclude" | "count" | "json" | "no-more";
  /** What `?` and `help` say about it. */
  readonly help: string;
  /** Whether a regular expression follows its name. */
  readonly takesPattern: boolean;
}

/** Every filter. */
export const FILTERS: readonly Filter[] = [
  { name: "include", help: "only the lines that match a pattern", takesPattern: true },
  { name: "exclude", help: "only the lines that do not match a pattern", takesPattern: true },
  { name: "count", help: "how many lines there are, without a heading", takesPattern: false },
  { name: "json", help: "the answer as JSON, on one line", takesPattern: false },
  { name: "no-more", help: "do not stop when the screen is full", takesPattern: false },
];

/** What filters make of an answer. */
export interface FilterResult {
  readonly answer: Answer;
  /** Whether output may stop when the screen is full. */
  readonly mayPage: boolean;
}

/** Filters in their order, as one function. */
export type FilterCall = (answer: Answer) => FilterResult;

/**
 * Reads the filters of a line.
 *
 * @param parts What follows the command, each as its words.
 * @throws {ParseError} When one is no filter, has no good pattern, or can never be applied.
 */
export function parseFilters(parts: readonly (readonly string[])[]): FilterCall {
  const filters = parts.map(parseFilter);
  const end = filters.findIndex(({ name }) => name === "count" || name === "json");
  const late = end < 0 ? undefined : filters.slice(end + 1).find(({ name }) => name !== "no-more");
  if (late !== undefined) {
    throw new ParseError(`"${late.name}" cannot follow "${filters[end]!.name}"`, FILTER_HINT);
  }
  return (answer) => ({
    answer: filters.reduce((before, { apply }) => apply(before), answer),
    mayPage: filters.every(({ name }) => name !== "no-more" && name !== "json"),
  });
}

const FILTER_HINT = "help | lists the filters";

function parseFilter(
  [word, ...rest]: readonly string[],
): { readonly name: Filter["name"]; readonly apply: (answer: Answer) => Answer } {
  if (word === undefined) throw new ParseError('a filter must follow "|"', FILTER_HINT);
  const exact = FILTERS.filter(({ name }) => name === word);
  const near = exact.length > 0 ? exact : FILTERS.filter(({ name }) => name.startsWith(word));
  const [filter] = near;
  if (filter === undefined) {
    throw new ParseError(
      `"${word}" is no filter${didYouMean(word, FILTERS.map(({ name }) => name))}`,
      FILTER_HINT,
    );
  }
  const { name, takesPattern } = filter;
  if (!takesPattern && rest.length > 0) {
    throw new ParseError(`"${rest[0]}" is one word too many behind "${name}"`, FILTER_HINT);
  }
  switch (name) {
    case "include":
    case "exclude": {
      const pattern = parsePattern(name, rest);
      return { name, apply: (answer) => select(answer, pattern, name === "include") };
    }
    case "count":
      return { name, apply: count };
    case "json":
      return { name, apply: json };
    case "no-more":
      return { name, apply: (answer) => answer };
  }
}

function parsePattern(name: string, words: readonly string[]): Pattern {
  if (words.length === 0) throw new ParseError(`a pattern must follow "${name}"`, `${name} bob`);
  const source = words.join(" ");
  try {
    return new Pattern(source);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new ParseError(
      `the pattern "${source}" cannot be used: ${error.message}`,
      "a backslash takes the meaning from . * + ? ( ) [ ] { } | ^ $ as in 10\\.0\\.0\\.1",
    );
  }
}

/** The lines, or the rows of a table, that match or do not. A table loses its heading. */
function select(answer: Answer, pattern: Pattern, wanted: boolean): Answer {
  const { value, content } = answer;
  if (typeof content === "function") {
    const lines = linesOf(content(PLAIN)).filter((line) => pattern.matches(line) === wanted);
    return textAnswer(lines, lines.map((line) => line + "\n").join(""));
  }
  // The lines as they would stand in the table, without its heading.
  const lines = linesOf(tableText({ ...content, head: null }, PLAIN));
  const places = lines.flatMap((line, at) => pattern.matches(line) === wanted ? [at] : []);
  return {
    value: Array.isArray(value) ? places.map((at) => value[at]) : value,
    content: { head: null, rows: places.map((at) => content.rows[at]!) },
  };
}

function count(answer: Answer): Answer {
  const { content } = answer;
  const found = typeof content === "function"
    ? linesOf(answerText(answer, PLAIN)).length
    : content.rows.length;
  return textAnswer(found, `${found}\n`);
}

function json({ value }: Answer): Answer {
  return textAnswer(value, escapeJson(JSON.stringify(value)) + "\n");
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
