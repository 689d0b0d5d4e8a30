import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { VERSION } from "../../lib/cli/app.ts";

Deno.test("VERSION is the version of deno.json", () => {
  assertEquals(VERSION, manifest.version);
});
