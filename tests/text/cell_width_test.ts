import { assertEquals } from "@std/assert";
import { cellWidth, padCells, shorten, wrapWords } from "../../lib/text/cell_width.ts";

for (
  const [text, width] of [
    ["", 0],
    ["bob", 3],
    ["žofie", 5],
    ["zo\u0301e", 3],
    ["東京", 4],
    ["ﾄｳ", 2],
    ["Ｂｏｂ", 6],
    ["한국", 4],
    ["\u1112\u1161\u11ab", 2],
    ["😀", 2],
    ["👍\u{1f3fd}", 2],
    ["🇨🇭", 2],
    ["❤", 1],
    ["❤\ufe0f", 2],
    ["✓ ✗ …", 5],
    ["שלום", 4],
    ["𠀀", 2],
  ] as const
) {
  Deno.test(`cellWidth() of "${text}" is ${width}`, () => assertEquals(cellWidth(text), width));
}

Deno.test("padCells() and shorten() count cells, and never halve a character", () => {
  assertEquals(padCells("東", 5), "東   ");
  assertEquals(padCells("東京", 3), "東京");
  assertEquals(shorten("東京都", 6), "東京都");
  assertEquals(shorten("東京都", 5), "東京…");
  assertEquals(shorten("東京都", 4), "東…");
  assertEquals(shorten("ae\u0301io", 3), "ae\u0301…");
  assertEquals(shorten("bob", 0), "");
});

Deno.test("wrapWords() breaks at blanks alone, and keeps a beginning indentation", () => {
  assertEquals(wrapWords("one two three", 8), "one two\nthree");
  assertEquals(wrapWords("  one two three", 9, "    "), "  one two\n    three");
  assertEquals(wrapWords("a 東京都市 b", 9), "a\n東京都市\nb");
  assertEquals(wrapWords("unbreakable", 4), "unbreakable");
  assertEquals(wrapWords("one two", null), "one two");
});
