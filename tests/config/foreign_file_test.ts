/** A message about a file that is no configuration quotes no word of it. */
import { assertEquals } from "@std/assert";
import { withoutForeignContent } from "../../lib/config/foreign_file.ts";

const KEYS = ["users", "log"];

/** Whether a problem with these words is kept. */
function isKept(text: string, what: string, key = ""): boolean {
  const problem = { at: { line: 2, column: 3 }, key, what };
  const [found, ...others] = withoutForeignContent(text, [problem], KEYS);
  assertEquals(others, []);
  if (found === problem) return true;
  assertEquals(found, {
    at: { line: 2, column: 3 },
    key: "",
    what: "this is no configuration: it has none of the keys users, log",
    hint: "--config FILE names the configuration",
  });
  return false;
}

Deno.test("withoutForeignContent() quotes words of a configuration alone", () => {
  for (
    const [text, what, kept] of [
      // Of three characters and more, as words.
      ["abc\n", "this is abc", false],
      ["ab\n", "this is ab", true],
      ["abc\n", "this is abcd", true],
      ["x-abc;d\n", 'this is "abc"', false],
      ["пароль\n", "this is пароль", false],
      ["123456\n", "this is 123456", false],
      // A plain key is none, and what only looks like one is.
      ["secret: b\n", "no key secret", true],
      ["  secret : b\n", "no key secret", true],
      ["secret:\n", "no key secret", true],
      ["secret:b\n", "no key secret", false],
      ["foo secret: b\n", "no key secret", false],
      ["Secret: b\n", "no key Secret", false],
      [`${"s".repeat(32)}: b\n`, `no key ${"s".repeat(32)}`, true],
      [`${"s".repeat(33)}: b\n`, `no key ${"s".repeat(33)}`, false],
      // With a key of a configuration it is one.
      ["users: abc\n", "this is abc", true],
      ["Users: abc\n", "no key Users", true],
      ["a: b\n  log : abc\n", "this is abc", true],
      ["log:\n abc\n", "this is abc", true],
      ["{ 'log': abc }\n", "this is abc", true],
      ['{"a": 5, "users":"abc"}\n', "this is abc", true],
      ["users:abc\n", "this is abc", false],
      ["xusers: abc\n", "this is abc", false],
      ["a users: abc\n", "this is abc", false],
      ["users abc\n", "this is abc", false],
      ['"users" abc\n', "this is abc", false],
    ] as const
  ) assertEquals([isKept(text, what), text], [kept, text]);
  assertEquals([isKept("abc\n", "it", "abc"), isKept("abc\n", "it", "x.abc[0]")], [false, false]);
});

Deno.test("withoutForeignContent() keeps none of many problems where one quotes the file", () => {
  const problems = ["this is abc", "the file is empty"].map((what, index) => ({
    at: { line: 2, column: 3 + index },
    key: "",
    what,
  }));
  for (const all of [problems, problems.toReversed()]) {
    const found = withoutForeignContent("abc\n", all, KEYS);
    assertEquals(found.map(({ at, what }) => [at, what]), [
      [all[0]!.at, "this is no configuration: it has none of the keys users, log"],
    ]);
  }
});
