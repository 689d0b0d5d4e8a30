/**
 * Plain scalars in YAML's core schema (YAML 1.2.2, section 10.3.2): pure.
 *
 * @module
 */

const NULL = /^(?:~?|[Nn]ull|NULL)$/;
const FLAG = /^(?:[Tt]rue|TRUE|[Ff]alse|FALSE)$/;
const NUMBER = new RegExp(
  "^(?:0o[0-7]+|0x[0-9a-fA-F]+|" +
    "[-+]?(?:\\.[0-9]+|[0-9]+(?:\\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|" +
    "[-+]?\\.(?:inf|Inf|INF)|\\.nan|\\.NaN|\\.NAN)$",
);

/**
 * What a plain scalar means.
 *
 * @param source The scalar as it is written.
 * @returns The source itself where it is a text. A number may be inexact, and an infinite one is
 * none of JavaScript's: what reads a number reads its source.
 */
export function plainValue(source: string): string | number | boolean | null {
  // Almost every text begins as no special one does, and almost every special one has digits alone.
  if (!/^[-+.0-9~NnTtFf]|^$/.test(source)) return source;
  if (/^[0-9]+$/.test(source)) return Number(source);
  if (NULL.test(source)) return null;
  if (FLAG.test(source)) return /^t/i.test(source);
  return NUMBER.test(source) ? Number(source) : source;
}
