/**
 * Which YAML texts the two parsers may read in different ways, by searches that cost less than the
 * quick one of them: pure.
 *
 * @module
 */

/** The longest key of `yaml`, in characters, and a little less. */
const MAX_KEY_LENGTH = 1_000;

/**
 * Whether a text has what no lexer has to be asked for: white space other than blanks where a line
 * or an item begins, comments without a blank before them, directives, marks of documents beyond
 * the first line, keys that are too long, line breaks of other alphabets, block scalars that give
 * their indentation.
 */
export function isUncertain(text: string): boolean {
  const has = (part: string, pattern: RegExp) => text.includes(part) && pattern.test(text);
  return /[\u0085\u2028\u2029\ufeff\ufffe\uffff]/.test(text) ||
    has("\t", /^[ ]*(?:[-?:][ ]*)*\t/m) ||
    has("#", /["'[\]{},:|>-]#/) ||
    has("%", /^%/m) ||
    has("---", /\n---/) || has("...", /\n\.\.\./) ||
    text.startsWith("...") ||
    has("|", /\|[-+]?[0-9]/) || has(">", />[-+]?[0-9]/) ||
    has("\r", /\r(?!\n)/) ||
    hasLongLine(text) && new RegExp(`[^\\n:]{${MAX_KEY_LENGTH}}`).test(text);
}

function hasLongLine(text: string): boolean {
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = text.indexOf("\n", start);
    if ((end < 0 ? text.length : end) - start >= MAX_KEY_LENGTH) return true;
  }
  return false;
}

/** A comment; a text in quotes where one may begin, with what may follow it; or what is neither. */
const SUSPECT = new RegExp(
  [
    "(?<!\\S)#[^\\n]*",
    "(?<=[,[{:]\\s*|^[ ]*(?:-[ ]+)+)" +
    `(?:"(?:[^"\\\\\\n]|\\\\.)*"|'[^'\\n]*')(?![ \\t]*[^\\s,\\]}#:])`,
    // Another quote.
    "([\"']",
    // An anchor, an alias, a tag or an explicit key.
    "(?<![^\\s,[\\]{}:-])(?:[&*][^\\s,[\\]{}]|!|\\?(?!\\S))",
    // A collection as a key, or with something behind it, or nothing between two commas.
    "[\\]}]\\s*:|[\\]}][ \\t]*[^\\s,\\]}#:]",
    "[,[{]\\s*(?:#[^\\n]*\\s*)*,)",
  ].join("|"),
  "gm",
);

/**
 * Whether a text may have a construct that `@std/yaml` accepts and a configuration may not have.
 * The lexer says whether it has.
 *
 * A quote that is not where a text in quotes begins counts, so that no construct is taken for a
 * part of one.
 */
export function mayBeForeign(text: string): boolean {
  SUSPECT.lastIndex = 0;
  for (let found = SUSPECT.exec(text); found !== null; found = SUSPECT.exec(text)) {
    if (found[1] !== undefined) return true;
  }
  return false;
}
