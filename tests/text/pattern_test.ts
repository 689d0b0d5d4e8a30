import { assertEquals, assertThrows } from "@std/assert";
import { MAX_LINE, Pattern, PatternError } from "../../lib/text/pattern.ts";

const SOURCES = [
  ...["a", "bob|alice", "^ab", "ab$", "^$", "a.c", "(ab)+$", "^(a|b)*c?$", "a{2}b", "^a{1,2}$"],
  ...["^a{2,}$", "[a-c]x", "[^a-c]", "\\d+", "\\w\\s\\w", "\\bab\\b", "\\Bb", "(?:a|b)(?<n>c)"],
  ...["\\.", "\\|", "x*?y", "東+", "\\p{L}\\P{L}", "(|a)b", "()*", "(a*)*b", "[\\]x]", "\\u0061b"],
  ...["\\u{1F600}", "[\\d-]{3}", "^(?:(?:a?){3}a{3})$", "$", "a|", "\\x61"],
];
const LINES = [
  ...[
    "",
    "a",
    "ab",
    "abc",
    "aab",
    "aaa",
    "aaaaaa",
    "bob",
    "alice",
    "a c",
    "xy",
    "y",
    "12-3",
    "a.b",
  ],
  ...["東東", "é1", "c", "abab", "]", "x|y", "😀", "ax", "dx", "b", "ac", "bc", "a b ab"],
];

Deno.test("a pattern matches the lines that JavaScript's engine matches", () => {
  for (const source of SOURCES) {
    const [own, reference] = [new Pattern(source), new RegExp(source, "u")];
    for (const line of LINES) {
      assertEquals(own.matches(line), reference.test(line), `/${source}/ ${JSON.stringify(line)}`);
    }
  }
});

Deno.test("a pattern that backtracking engines never finish is finished", () => {
  const line = "a".repeat(MAX_LINE);
  for (const source of ["(a+)+b", "(a|a)*b", "(a|aa)+$b", "a*a*a*a*a*a*b", "(.*)*x"]) {
    assertEquals(new Pattern(source).matches(line), false, source);
  }
});

Deno.test("a pattern that cannot be used is an error", () => {
  for (
    const [source, message] of [
      ["(", "Unterminated group"],
      ["[a", "Unterminated character class"],
      ["*", "Nothing to repeat"],
      ["(a)\\1", "back reference"],
      ["(?<n>a)\\k<n>", "back reference"],
      ["(?=a)", "look-around"],
      ["(?<!a)b", "look-around"],
      ["(?i:a)", "not supported"],
      ["(x{100}){100}", "too large"],
      ["(){99999999}", "too large"],
      ["(".repeat(200) + ")".repeat(200), "too deep"],
    ] as const
  ) assertThrows(() => new Pattern(source), PatternError, message, source);
});
