import { assertEquals, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import type { ServeCommand } from "../../lib/cli/command_line.ts";
import { listenerFlags } from "../../lib/cli/serve_flags.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { Failure } from "../../lib/errors.ts";

function flagsOf(target: string): ReturnType<typeof listenerFlags> {
  const { command } = parseCommandLine(["serve", "--unix=/s", "--forward", target]);
  return listenerFlags(command as ServeCommand);
}

/** Whether the file has a backend of that name. */
function fileTakes(target: string): boolean {
  const service = `{ forward: ${JSON.stringify(target)} }`;
  const text = `listeners: [{ unix: /s, service: ${service} }]`;
  try {
    parseConfig(text, "/c.yaml", { overflowUid: 65534 });
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

Deno.test("--forward refuses what the file refuses, and takes what the file takes", () => {
  const refused = [
    "unix:a",
    "unix:./a",
    "unix:",
    "unix:@a",
    "unix:/a/",
    "unix:/a/..",
    "tcp:h",
    "x",
  ];
  for (const target of [...refused, `unix:/${"a".repeat(107)}`]) {
    assertThrows(() => flagsOf(target), Failure, "--forward: ");
    assertEquals(fileTakes(target), false, target);
  }
  for (const target of ["unix:/a", "unix:/a/../b", "tcp:h:1", "tcp:[::1]:1"]) {
    assertEquals(flagsOf(target).service?.kind, "forward");
    assertEquals(fileTakes(target), true, target);
  }
});

Deno.test("--forward names the absolute path of a relative one", () => {
  const { hint } = assertThrows(() => flagsOf("unix:run/app.sock"), Failure) as Failure;
  assertEquals(hint, `--forward unix:${Deno.cwd()}/run/app.sock`);
});
