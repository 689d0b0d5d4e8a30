/** The lines of a text that is edited, at its beginning and its end as well. */
import { assertEquals } from "@std/assert";
import { BYTE_ORDER_MARK, EditableText } from "../../lib/config/editable_text.ts";

/** The beginning and the end of the line of an offset, and the beginning of the next. */
function line(text: string, offset: number): number[] {
  const editable = new EditableText(text);
  return [editable.lineStart(offset), editable.lineEnd(offset), editable.nextLine(offset)];
}

Deno.test("EditableText finds the line of an offset", () => {
  for (
    const [text, offset, expected] of [
      ["", 0, [0, 0, 0]],
      ["ab", 1, [0, 2, 2]],
      ["\nab", 2, [1, 3, 3]],
      ["ab\r\ncd\n", 1, [0, 2, 4]],
      ["ab\r\ncd\n", 5, [4, 6, 7]],
      ["\n\n", 1, [1, 1, 2]],
    ] as const
  ) assertEquals([text, line(text, offset)], [text, [...expected]]);
  const empty = new EditableText("\nab");
  assertEquals([empty.lineEnd(0), empty.nextLine(0)], [0, 1]);
});

Deno.test("EditableText.indentOf() counts no byte order mark", () => {
  assertEquals(new EditableText(`${BYTE_ORDER_MARK}a: b`).indentOf(3), "  ");
  assertEquals(new EditableText("x\n- a: b").indentOf(4), "  ");
});

Deno.test("EditableText.ownLines() has whole lines, except the first", () => {
  const own = (text: string, part: string) => {
    const start = text.indexOf(part);
    return new EditableText(text).ownLines(start, start + part.length);
  };
  assertEquals(own("\nab\n", "ab"), [1, 4]);
  assertEquals(own("x:\n\tab # c\ny\n", "ab"), [3, 11]);
  assertEquals(own("x:\n ab\n cd", "cd"), [7, 10]);
  for (
    const [text, part] of [["ab\ny\n", "ab"], ["\nx: ab\n", "ab"], ["\nab, c\n", "ab"], [
      "\nab#c\n",
      "ab",
    ]] as const
  ) assertEquals(own(text, part), null, text);
});
