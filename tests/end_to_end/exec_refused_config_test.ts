/** An exec service: a program that cannot be started is refused at the start of the server. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { readLine } from "../support/exec_server.ts";
import { isRoot, Program } from "../support/program.ts";

Deno.test("exec: a program that cannot be started is refused at the start", async (test) => {
  await using program = await Program.install();
  const socket = `--unix=${program.path("a.sock")}`;
  const serve = (...argv: string[]) => program.run(["serve", socket, "--exec", "--", ...argv]);
  await test.step("a missing program", async () => {
    const { code, stderr } = await serve("/nowhere/report");
    assertEquals(code, 78);
    assertStringIncludes(stderr, "Cannot offer the program /nowhere/report: no such file");
    assertEquals((await serve("no-such-program-anywhere")).code, 64);
  });
  await test.step("a file that is not executable, and a directory", async () => {
    const path = await program.write("data", "x");
    assertStringIncludes((await serve(path)).stderr, "it is not executable");
    assertStringIncludes((await serve("/tmp")).stderr, "it is not a file");
  });
  await test.step("a script without an interpreter, or without one that can be started", async () => {
    for (
      const [text, what] of [
        ["echo hi\n", 'it is a script without "#!"'],
        ["", "it is empty"],
        ["#!\n", 'there is no interpreter behind its "#!"'],
        ["#!/nowhere/sh\n", 'its interpreter "/nowhere/sh": no such file'],
        ["#!/bin/sh\r\n", 'its interpreter "/bin/sh\\r": no such file'],
        ["#!/etc/passwd\n", 'its interpreter "/etc/passwd" is not executable'],
      ] as const
    ) {
      const { code, stderr } = await serve(await program.write("script", text, 0o755));
      assertEquals(code, 78);
      assertStringIncludes(stderr, what);
    }
    const script = await program.write("script", "#! /bin/sh -e\necho found\n", 0o755);
    await using server = await program.serve([socket, "--exec", "--", script]);
    using connection = await Deno.connect({ transport: "unix", path: program.path("a.sock") });
    assertEquals(await readLine(connection), "found");
    await server.stop();
  });
  await test.step({
    name: "run_as: peer without root",
    ignore: !isRoot,
    fn: async () => {
      const config = await program.write(
        "config.yaml",
        `listeners: [{ unix: ${
          program.path("d", "a.sock")
        }, service: { exec: [/bin/cat], run_as: peer } }]\n`,
      );
      await Deno.mkdir(program.path("d"));
      await Deno.chown(program.path("d"), 579, 579);
      const { code, stderr } = await program.run(["serve", "--config", config], { uid: 579 });
      assertEquals(code, 78);
      assertStringIncludes(stderr, "run_as: peer needs a server that is root");
    },
  });
  await test.step("a name without a slash is found in PATH", async () => {
    await using server = await program.serve([socket, "--exec", "--", "echo", "found"]);
    using connection = await Deno.connect({ transport: "unix", path: program.path("a.sock") });
    assertEquals(await readLine(connection), "found");
    await server.stop();
  });
});
