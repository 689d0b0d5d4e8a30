import { assertEquals } from "@std/assert";
import { MAX_ID, parseId } from "../../lib/policy/id.ts";

Deno.test("parseId() takes the ids that the kernel has, written in one way", () => {
  for (const id of [0, 1, 10, 65_534, 999_999_999, MAX_ID - 1, MAX_ID]) {
    assertEquals(parseId(String(id)), id);
  }
  assertEquals(MAX_ID, 2 ** 32 - 2);
});

Deno.test("parseId() takes no text for an id that only begins, ends or looks like one", () => {
  for (
    const text of [
      ...["", " ", "-1", "+1", "01", "00", "0x0", "1e3", "1.0", "1_000", "0day", "day0", "x"],
      ...[" 0", "0 ", "0\n", "\n0", "１", "NaN", "Infinity", "4294967295", "4294967296"],
      ...["42949672940", "99999999999999999999"],
    ]
  ) assertEquals(parseId(text), null, JSON.stringify(text));
});
