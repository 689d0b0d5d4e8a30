import { assertEquals, assertThrows } from "@std/assert";
import { writeAll } from "../../lib/cli/output.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { Program } from "../support/program.ts";

Deno.test("writeAll() continues after a slow reader has made it wait", () => {
  let written = "";
  let turn = 0;
  writeAll({
    writeSync(bytes) {
      if (turn++ % 2 === 0) throw new Deno.errors.WouldBlock();
      written += String.fromCharCode(bytes[0]!);
      return 1;
    },
  }, "text");
  assertEquals(written, "text");
});

Deno.test("writeAll() distinguishes a closed pipe from an output that fails", () => {
  const failing = (error: Error) => ({
    writeSync(): number {
      throw error;
    },
  });
  assertThrows(() => writeAll(failing(new Deno.errors.BrokenPipe()), "x"), Deno.errors.BrokenPipe);
  const failure = assertThrows(() => writeAll(failing(new Error("full")), "x"), Failure) as Failure;
  assertEquals(failure.exit, ExitCode.os);
});

Deno.test("an output that cannot be written exits 71, an error text changes no code", async () => {
  await using program = await Program.install();
  const shell = async (line: string) => (await program.execute(["sh", "-c", line])).code;
  assertEquals(await shell("ipcauth help > /dev/full"), 71);
  assertEquals(await shell("ipcauth nosuch 2> /dev/full"), 64);
  assertEquals(await shell("ipcauth help > /dev/full 2> /dev/full"), 71);
  assertEquals(await shell("ipcauth help | true; ipcauth help >&-"), 0);
});
