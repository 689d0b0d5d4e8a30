import { assertEquals } from "@std/assert";
import { table } from "../../lib/text/table.ts";

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
