/**
 * What `@std/yaml` accepts and a configuration may not have, found in the tokens of the other
 * parser's lexer: pure.
 *
 * @module
 */
import { Lexer } from "yaml";

/** Stands before a plain or a block scalar in the tokens of the lexer. */
const SCALAR_MARK = "\x1f";

/**
 * Whether a YAML text has an anchor, an alias, a tag, a directive, an explicit key, a collection as
 * a key, a text in quotes that goes over lines, something behind a value in its line, or nothing
 * between two commas.
 */
export function hasForeignConstruct(text: string): boolean {
  const flow: string[] = [];
  let isScalar = false;
  let last = "";
  let lastInLine = "";
  for (const token of new Lexer().lex(text)) {
    if (isScalar) isScalar = false;
    else if (/^[ \t\ufeff]+$/.test(token)) continue;
    else if (isForeign(token, last, lastInLine, flow.at(-1))) return true;
    else if (token === "[" || token === "{") flow.push(token);
    else if (token === "]" || token === "}") flow.pop();
    else isScalar = token === SCALAR_MARK;
    lastInLine = token;
    if (!/^[\s#]/.test(token)) last = token;
  }
  return false;
}

/**
 * @param last The token before, without white space and comments.
 * @param lastInLine The same, with line ends and comments.
 * @param flow The bracket or brace around it.
 */
function isForeign(token: string, last: string, lastInLine: string, flow?: string): boolean {
  if (/^(?:[&*!%]|\?$)/.test(token)) return true;
  // The parsers do not fold the blanks at the ends of its lines in the same way.
  if (/^["']/.test(token) && token.includes("\n")) return true;
  if (token === ":") return last === "]" || last === "}";
  const isFirst = last === "," || last === "[" || last === "{";
  if (token === ",") return isFirst;
  if ((token === "[" || token === "{") && flow === "{" && isFirst) return true;
  return /^["'\]}]/.test(lastInLine) && !/^[\r\n#\]}]/.test(token);
}
