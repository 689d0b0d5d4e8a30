/**
 * What the quick reader of YAML does not read: for each construct, a text that has it, and one that
 * only looks so. A text that counts wrongly costs time; one that does not count may be read in
 * another sense than the other reader has.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { hasForeignConstruct } from "../../lib/config/foreign_constructs.ts";
import { plainValue } from "../../lib/config/plain_scalar.ts";
import { quotingOf, UncertainError } from "../../lib/config/quoting.ts";
import { isUncertain, mayBeForeign } from "../../lib/config/uncertain_text.ts";

const LONG = "k".repeat(1_000);

for (
  const [what, without, having] of [
    [
      "white space of other alphabets",
      ["x: \u00a0a", "x: \u3000"],
      ["x: \u0085", "x: \u2028", "x: \u2029", "x: \ufeff", "x: \ufffe", "x: \uffff"],
    ],
    [
      "a tab where a line or an item begins",
      ["x: a\tb", "x:\ta", "x: # \t", "a-\tb: 5"],
      ["\tx: 5", "x:\n\t- 5", "x:\n  \t5", "-\t5", "- -\t5", "?\t5", ":\t5", "x:\n - - \t5"],
    ],
    [
      "a comment without a blank",
      ["x: 5 # a", "# a", "a#b: 5", "x: 5\n# a", "x: /#"],
      ...[[..."\"'[]{},:|>-"].map((sign) => `x: a${sign}#`)],
    ],
    ["a directive", ["x: a%", "x: 5 %", " %a"], ["%YAML 1.2\n---\nx: 5", "x: 5\n%a"]],
    ["the start of another document", ["---\nx: 5", "x: ---", "x:\n ---"], ["x: 5\n---\ny: 5"]],
    ["the end of a document", ["x: ...", "x:\n ...", "x: 5..."], ["x: 5\n...", "...", "...\nx: 5"]],
    [
      "a block scalar with a width",
      ["x: |\n a", "x: >-\n a", "x: a|b", "x: 5"],
      ["x: |1\n a", "x: |-2\n a", "x: |+3\n a", "x: >1\n a", "x: >-2\n a", "x: >+9\n a"],
    ],
    ["a carriage return alone", ["x: 5\r\n"], ["x: 5\r", "x: 5\ry: 6\r\n"]],
    [
      "a key that is too long",
      [`${LONG.slice(1)}: 5`, `x: 5\n${LONG.slice(1)}: 5`, `${LONG.slice(1)}:${LONG.slice(1)}`],
      [`${LONG}: 5`, `x: 5\n${LONG}: 5`, `x: 5\n${LONG}`, `x: 5\n${LONG}\ny: 6`, LONG],
    ],
  ] as const
) {
  Deno.test(`isUncertain() finds ${what}, and takes nothing else for it`, () => {
    for (const text of without) assertEquals([isUncertain(text), text], [false, text]);
    for (const text of having) assertEquals([isUncertain(text), text], [true, text]);
  });
}

for (
  const [what, without, having] of [
    [
      "an anchor, an alias or a tag",
      [
        "x: a&b",
        "x: a & b",
        "x: [a, 'b &c']",
        "# &a",
        "x: '&a'",
        "x: a!",
        "x: %a",
        "x: |\n %a",
        "x: @a",
      ],
      [
        "x: &a 5",
        "- &a 5",
        "x: [&a]",
        "{&a x: 5}",
        "x: *a",
        "[*a]",
        "x: !!str 5",
        "x: ! 5",
        "!a x: 5",
      ],
    ],
    ["an explicit key", ["x: a?", "x: '? a'", "# ? a", "?a: 5"], ["? a\n: 5", "{? a: 5}"]],
    [
      "a collection as a key",
      ["x: []", "x: {}", "x: [a]\ny: {b: 5}", "x: [] # : 5", "x: [a, [b]]", "x: ['[a]: 5']"],
      ["[a]: 5", "{a: b}: 5", "[a] : 5", "- {a}: 5"],
    ],
    [
      "a text in quotes over lines",
      ['x: "a b"', "x: 'it''s'", 'x: "a\\"b"', "x: # it's\n- 'a'", "x: '#'\n#'"],
      ['x: "a\n  b"', "x: 'a\n  b'"],
    ],
    [
      "something behind a value in its line",
      ['x: "5" # y', "x: 'a'\ny: 5", "x: ['a', \"b\"]", "x: [a] # b", "x: {a: 'b'}", "'x': 5"],
      ['x: "5" y: 6', 'x: "5" "y#"', "x: 'a' b", "x: [a] b", "x: {a: b} c: 5"],
    ],
    [
      "nothing between two commas",
      ["x: [a, b]", "x: [a, ]", "x: { a: , b: 5 }", "x: ',,'", "# ,,"],
      ["x: [a, , b]", "x: [, a]", "x: {, a: 5}", "x: [a, # b\n , c]"],
    ],
  ] as const
) {
  Deno.test(`hasForeignConstruct() finds ${what}, and takes nothing else for it`, () => {
    for (const text of without) {
      assertEquals([hasForeignConstruct(`${text}\n`), text], [false, text]);
    }
    for (const text of having) {
      assertEquals([hasForeignConstruct(`${text}\n`), text], [true, text]);
      assertEquals([mayBeForeign(`${text}\n`), text], [true, text]);
    }
  });
}

Deno.test("hasForeignConstruct() finds a collection in the place of a key of a mapping", () => {
  for (const text of ["{ [a] }", "{ {a: 5} }", "x: { a: 5, [b] }", "x: [{ a: 5, {b: 5} }]"]) {
    assertEquals([hasForeignConstruct(`${text}\n`), text], [true, text]);
  }
  for (
    const text of [
      "[ [a] ]",
      "[{}, {a: [b]}, [c]]",
      "{ x: [a], y: {b: 5} }",
      "{ x: [a, [b]] }",
      "{ x: { y: 5 }, z: 5 }",
      "[{ x: 5 }, [a]]",
      "{ x: [{}, {}] }",
    ]
  ) assertEquals([hasForeignConstruct(`${text}\n`), text], [false, text]);
});

Deno.test("mayBeForeign() asks for no lexer where comments and texts hold signs", () => {
  for (
    const text of [
      "x: 5\n",
      "# *a*: &b ! ? [c]: d, 'e\n",
      "x: '&a *b ! ? [c]: d,,'\n",
      'x: [ "it\'s", "a\\"b" ] # it\'s\n',
      "- '[a]: 5'\n- - '{b}: 6'\n",
      "x: [a, b]\ny: {c: d}\n",
    ]
  ) assertEquals([mayBeForeign(text), text], [false, text]);
});

Deno.test("plainValue() reads what is no text in YAML's core schema, and nothing else", () => {
  const values = (words: string) => words.split(" ").map((word) => plainValue(word));
  assertEquals(values("null Null NULL ~"), [null, null, null, null]);
  assertEquals(plainValue(""), null);
  assertEquals(values("true True TRUE false False FALSE"), [true, true, true, false, false, false]);
  assertEquals(values("0 12 007 -5 +5 .5 1. 1.5 -1.5e3 1E-2"), [
    ...[0, 12, 7, -5, 5, 0.5, 1, 1.5, -1500, 0.01],
  ]);
  assertEquals(values("0o17 0x1F"), [15, 31]);
  for (const word of ".inf -.INF +.Inf .nan .NaN .NAN".split(" ")) {
    assertEquals([typeof plainValue(word), word], ["number", word]);
  }
  const texts = "nULL nul nullx xnull ~~ tRUE truex xtrue falsey notrue 0O17 0X1F 0o18 0xG -0x1 " +
    "1_0 1e 1e+ e1 . - + -. 5x x5 .infx x.inf .Nan -.nan .nanx x.nan 1..5 1.5.5 a & yes no on -a";
  for (const word of texts.split(" ")) assertEquals(plainValue(word), word);
});

Deno.test("quotingOf() knows by the source alone whether a text is quoted, unless it is both", () => {
  const known = (text: string, source: string) => {
    const quoting = quotingOf(text);
    return quoting.isKnown && quoting.isQuoted(source, undefined);
  };
  assertEquals(known("x: 5\n", "5"), false);
  assertEquals([known('x: "5"\n', "5"), known("x: ['5']\n", "5")], [true, true]);
  assertEquals([known('x: ""\n', ""), known('x: "5"\n', "6")], [true, false]);
  // In a longer word, it stands nowhere bare.
  for (const text of ["x: '5'\ny: 15\n", "x: '5'\ny: 5a\n", "x: '5' # a5\n", "x: ''\ny: 5\n"]) {
    assertEquals([quotingOf(text).isKnown, text], [true, text]);
  }
  for (
    const text of [
      ...["x: ['5', 5]\n", "x: '5'\ny: 5\n", "5: '5'\n", "x: ['5',5]\n", "x: {y: '5', z: 5}\n"],
      ...["x: |\n a\n", "x: >\n a\n", 'x: "\\x35"\n'],
      `x: [${Array.from({ length: 9 }, (_, index) => `'${index}'`).join()}]\n`,
    ]
  ) assertEquals([quotingOf(text).isKnown, text], [false, text]);
  const eight = `x: [${Array.from({ length: 8 }, (_, index) => `'${index}'`).join()}]\n`;
  assertEquals([quotingOf(eight).isKnown, known(eight, "7")], [true, true]);
});

Deno.test("quotingOf() takes the type of a value where a source is quoted and bare", () => {
  const { isQuoted } = quotingOf("x: ['5', 5]\n");
  assertEquals([isQuoted("5", "5"), isQuoted("5", 5), isQuoted("", "")], [true, false, true]);
  assertEquals([isQuoted("true", true), isQuoted("~", null)], [false, false]);
  // `@std/yaml` takes it for a text without quotes, too.
  assertThrows(() => isQuoted("0O17", "0O17"), UncertainError);
});
