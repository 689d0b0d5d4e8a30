import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import version from "../../lib/cli/version.json" with { type: "json" };

Deno.test("the program's version is the version of deno.json", () => {
  assertEquals(version.version, manifest.version);
});
