import { assertEquals } from "@std/assert";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("the task that runs the program from source asks for exactly the rights of the table", () => {
  const words = manifest.tasks.ipcauth.command.split(" ");
  assertEquals(words.filter((word) => word.startsWith("--allow")), [...PERMISSION_FLAGS]);
});

Deno.test("no task asks for every right there is", () => {
  for (const [name, { command }] of Object.entries(manifest.tasks)) {
    assertEquals(/--allow-all|\s-A\s/.test(command), false, name);
  }
});
