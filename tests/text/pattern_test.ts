import { assertEquals, assertThrows } from "@std/assert";
import { Pattern, PatternError } from "../../lib/text/pattern.ts";

Deno.test("a pattern matches the lines that JavaScript's engine matches", () => {
  const sources = [
    "a",
    "bob|alice",
    "^ab",
    "ab$",
    "^$",
    "a.c",
    "(ab)+$",
    "a{2}b",
    "[^a-c]",
    "\\d+",
  ];
  const lines = ["", "a", "ab", "abc", "aab", "bob", "a c", "12-3", "東東", "a b ab"];
  for (const source of [...sources, "\\bab\\b", "東+", "(?:a|b)(?<n>c)", "\\."]) {
    for (const line of lines) {
      assertEquals(new Pattern(source).matches(line), new RegExp(source).test(line), source);
    }
  }
});

Deno.test("a pattern that backtracking engines never finish is finished", () => {
  const line = "a".repeat(10_000);
  for (const source of ["(a+)+b", "(a|a)*b", "(a|aa)+$b", "a*a*a*a*a*a*b", "(.*)*x"]) {
    assertEquals(new Pattern(source).matches(line), false, source);
  }
});

Deno.test("a pattern that cannot be used is an error, on one line", () => {
  for (const source of ["(", "[a", "*", "(a)\\1", "(?=a)", "(x{1000}){1000}"]) {
    const { message } = assertThrows(() => new Pattern(source), PatternError);
    assertEquals(/^[A-Za-z][^\n]+$/.test(message), true, message);
  }
});
