import { assertEquals, assertThrows } from "@std/assert";
import { LineError, LineSplitter } from "../../../lib/service/console/lines.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("LineSplitter returns the same lines wherever the chunks end", () => {
  const bytes = encode("one\n\nzwölf €\r\n😀 last\nrest");
  for (let size = 1; size <= bytes.length; size++) {
    const splitter = new LineSplitter(100);
    const lines: string[] = [];
    for (let start = 0; start < bytes.length; start += size) {
      lines.push(...splitter.push(bytes.subarray(start, start + size)));
    }
    assertEquals(lines, ["one", "", "zwölf €\r", "😀 last"]);
    assertEquals(splitter.partial, true);
  }
});

Deno.test("LineSplitter copies what the caller may overwrite", () => {
  const splitter = new LineSplitter(100);
  const chunk = encode("ab");
  assertEquals([...splitter.push(chunk)], []);
  chunk.fill(0x78);
  assertEquals([...splitter.push(encode("c\n"))], ["abc"]);
});

Deno.test("LineSplitter refuses a line that is too long before its newline arrives", () => {
  const splitter = new LineSplitter(10);
  assertEquals([...splitter.push(encode("0123456789\n"))], ["0123456789"]);
  assertThrows(() => [...splitter.push(encode("0123456789a"))], LineError, "longer than 10");
});

Deno.test("LineSplitter refuses bytes that are not UTF-8", () => {
  for (const bytes of [[0xff, 0x0a], [0xc3, 0x0a], [0xed, 0xa0, 0x80, 0x0a]]) {
    assertThrows(() => [...new LineSplitter(10).push(new Uint8Array(bytes))], LineError, "UTF-8");
  }
});

Deno.test("LineSplitter.rest() returns the last line without a newline", () => {
  const splitter = new LineSplitter(10);
  assertEquals([...splitter.push(new TextEncoder().encode("one\ntwo"))], ["one"]);
  assertEquals([splitter.rest(), splitter.rest()], ["two", null]);
});

Deno.test("LineSplitter takes memory in proportion to the line, whatever the chunks are", () => {
  const size = 1 << 20;
  const splitters = Array.from({ length: 4 }, () => new LineSplitter(size));
  const chunk = encode("x");
  const before = Deno.memoryUsage();
  for (let count = 0; count < size; count++) {
    for (const splitter of splitters) assertEquals([...splitter.push(chunk)].length, 0);
  }
  const after = Deno.memoryUsage();
  // One object for each byte, as an array of chunks is, would be 75 bytes and more for each.
  const growth = after.heapUsed + after.external - before.heapUsed - before.external;
  if (growth > 8 * splitters.length * size) throw new Error(`${growth} bytes for 4 MiB`);
  for (const splitter of splitters) {
    assertEquals([...splitter.push(encode("\n"))], ["x".repeat(size)]);
  }
});
