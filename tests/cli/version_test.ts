import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { VERSION } from "../../lib/cli/app.ts";

Deno.test("the program says the version that the project has", () => {
  assertEquals(VERSION, manifest.version);
});
