/** A text is parsed once, however often a server that cannot put it in force tries again. */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { BUILT_IN } from "../../lib/config/load.ts";
import { ParsedFile } from "../../lib/config/parsed_file.ts";
import { Failure } from "../../lib/errors.ts";

Deno.test("ParsedFile parses a text once, and another one again", () => {
  const parsed: string[] = [];
  const file = new ParsedFile(({ text, path }) => {
    parsed.push(`${path} ${text}`);
    if (text === "bad") throw new Failure("it is bad", { exit: 78 });
    if (text === "bug") throw new TypeError("a bug");
    return { ...BUILT_IN, path };
  });
  const of = (path: string, text: string) => file.of({ path, text }, null)!.config;
  const good = of("/a", "good");
  assertStrictEquals(of("/a", "good"), good);
  assertEquals(of("/b", "good").path, "/b");
  for (const _again of [1, 2]) {
    assertThrows(() => of("/a", "bad"), Failure, "it is bad");
  }
  // What is no property of the text is tried again.
  for (const _again of [1, 2]) {
    assertThrows(() => of("/a", "bug"), TypeError);
  }
  assertEquals(of("/a", "good").path, "/a");
  assertEquals(parsed, ["/a good", "/b good", "/a bad", "/a bug", "/a bug", "/a good"]);
});
