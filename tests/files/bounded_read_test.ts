import { assertEquals } from "@std/assert";
import { readBounded } from "../../lib/files/bounded_read.ts";

/** A file whose reads answer at most two bytes each. */
function source(content: Uint8Array): { readSync(bytes: Uint8Array): number | null } {
  let offset = 0;
  return {
    readSync(bytes) {
      if (offset === content.length) return null;
      const part = content.subarray(offset, offset + Math.min(2, bytes.length));
      bytes.set(part);
      offset += part.length;
      return part.length;
    },
  };
}

Deno.test("readBounded() reads a file of up to the bound whole", () => {
  for (const length of [0, 1, 2, 5]) {
    const content = new Uint8Array(length).fill(7);
    assertEquals(readBounded(source(content), 5), content);
  }
});

Deno.test("readBounded() answers null for a longer file, and leaves none of it in memory", () => {
  const seen: Uint8Array[] = [];
  const { readSync } = source(new Uint8Array(6).fill(7));
  const result = readBounded({
    readSync(bytes) {
      seen.push(bytes);
      return readSync(bytes);
    },
  }, 5);
  assertEquals(result, null);
  assertEquals(seen[0], new Uint8Array(6));
});
