/** Programs that this process has just written can be started, whatever its other threads do. */
import { assertEquals, assertThrows } from "@std/assert";
import { copyForStart, copyForStartSync } from "../../tools/build/executable_file.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const run = (path: string) =>
  new TextDecoder().decode(new Deno.Command(path, { stderr: "null" }).outputSync().stdout);

for (
  const [name, copy] of [["copyForStart", copyForStart], [
    "copyForStartSync",
    copyForStartSync,
  ]] as const
) {
  Deno.test(`${name}() makes a program start that is still open for writing`, async () => {
    using directory = new TemporaryDirectory();
    const path = directory.write("program", "#!/bin/sh\necho started\n");
    Deno.chmodSync(path, 0o755);
    // As a child has it that another thread has started, and that is not its program yet.
    using _held = await Deno.open(path, { write: true });
    assertThrows(() => run(path), Error, "Text file busy");
    await copy(path);
    assertEquals(run(path), "started\n");
    assertEquals([directory.mode("program"), directory.names()], ["755", ["program"]]);
  });
}
