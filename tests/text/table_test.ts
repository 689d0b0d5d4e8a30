import { assertEquals } from "@std/assert";
import { cellWidth } from "../../lib/text/cell_width.ts";
import { table, tableText } from "../../lib/text/table.ts";

Deno.test("table() aligns its columns, without trailing blanks", () => {
  const text = table(["NAME", "UID"], [["bob", "579"], ["a-long-name", "1"]]);
  assertEquals(text, "NAME         UID\nbob          579\na-long-name  1\n");
  assertEquals(table(["NAME", "UID"], []), "NAME  UID\n");
});

Deno.test("table() takes more rows than a call can have arguments", () => {
  const rows = Array.from({ length: 300_000 }, (_, index) => [`user${index}`, String(index)]);
  const lines = table(["NAME", "UID"], rows).split("\n");
  assertEquals(lines.length, 300_002);
  assertEquals(lines[1], "user0       0");
});

// deno-lint-ignore no-control-regex -- what colours a text
const COLOR = /\x1b\[\d+m/g;

const NAMES = {
  head: ["NAME", "UID", "ACCESS"],
  rows: [["東京", "1", true], ["bob", "12", false]],
};

Deno.test("tableText() aligns by cells", () => {
  assertEquals(tableText(NAMES), "NAME  UID  ACCESS\n東京  1    true\nbob   12   false\n");
});

Deno.test("tableText() has a mark and a colour for true and false, and always the word", () => {
  assertEquals(
    tableText(NAMES, { columns: 80, color: true }),
    "NAME  UID  ACCESS\n東京  1    \x1b[32mtrue ✓\x1b[0m\nbob   12   \x1b[31mfalse ✗\x1b[0m\n",
  );
  // Where there is no space for marks.
  const narrow = tableText(NAMES, { columns: 17, color: true });
  assertEquals(narrow.replaceAll(COLOR, ""), tableText(NAMES));
});

Deno.test("tableText() shortens the widest texts, and no number", () => {
  const rows = [
    ["a-very-long-name-of-a-user", "1234567890123", "/some/where/else"],
    ["bob", "1", "x"],
  ];
  const text = tableText({ head: ["NAME", "UID", "FILE"], rows }, { columns: 40, color: false });
  assertEquals(
    text,
    "NAME         UID            FILE\n" +
      "a-very-lon…  1234567890123  /some/wher…\n" +
      "bob          1              x\n",
  );
});

Deno.test("tableText() puts each cell on a line where the columns have no space", () => {
  const rows = [["a-very-long-name-of-a-user", "1234567890123", true], ["bob", "1", false]];
  const table = { head: ["NAME", "UID", "LOCAL_IPC_ACCESS"], rows };
  assertEquals(
    tableText(table, { columns: 36, color: false }),
    `NAME              a-very-long-name-…
UID               1234567890123
LOCAL_IPC_ACCESS  true

NAME              bob
UID               1
LOCAL_IPC_ACCESS  false
`,
  );
});

Deno.test("no line of a table is wider than the terminal", () => {
  const rows = [["x".repeat(50), "7", true], ["東".repeat(30), "123", false]];
  for (let columns = 30; columns <= 120; columns++) {
    for (const color of [true, false]) {
      const text = tableText({ head: ["NAME", "UID", "LOCAL"], rows }, { columns, color });
      const lines = text.replaceAll(COLOR, "").split("\n");
      assertEquals(lines.filter((line) => cellWidth(line) > columns), [], String(columns));
      assertEquals(text.includes("true") && text.includes("false"), true);
    }
  }
});
