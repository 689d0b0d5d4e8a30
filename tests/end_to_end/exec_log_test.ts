/** An exec service: the log has the exit status and the standard error of its program. */
import { assertEquals } from "@std/assert";
import { drain } from "../support/connections.ts";
import { ExecServer, isOf } from "../support/exec_server.ts";

Deno.test("exec: the log has the exit status and the standard error of a program", async (test) => {
  await using fixture = await ExecServer.open({
    three: { script: "exit 3" },
    killed: { script: "kill -SEGV $$" },
    complains: {
      script: `printf 'first\\nsecond "quoted"\\033[2J\\n{"event":"allow"}' >&2; echo done`,
      tcp: true,
    },
    floods: { script: "head -c 300000 /dev/zero | tr '\\0' x >&2" },
  });
  const closed = async (name: string) => {
    await drain(await fixture.openConnection(name));
    return await fixture.server.event("close", isOf(name));
  };
  await test.step("an exit status", async () => {
    const { status, reason, bytes_in, duration_ms } = await closed("three");
    assertEquals([status, reason, bytes_in, typeof duration_ms], [3, "end", undefined, "number"]);
  });
  await test.step("a signal", async () => {
    assertEquals((await closed("killed")).status, "SIGSEGV");
  });
  await test.step("each line of standard error is one event, and forges none", async () => {
    const { session } = await closed("complains");
    const lines = fixture.server.log.filter((event) => event.event === "stderr");
    assertEquals(lines.map(({ message }) => message), [
      "first",
      'second "quoted"\u001b[2J',
      '{"event":"allow"}',
    ]);
    assertEquals(lines.every((one) => one.session === session), true);
    assertEquals(fixture.server.text, "");
  });
  await test.step("over TCP the bytes are counted", async () => {
    const { stdout } = await fixture.keyed("complains", "bob.key");
    assertEquals(stdout, "done\n");
    const { bytes_out, status } = await fixture.server.event(
      "close",
      ({ key }) => key !== undefined,
    );
    assertEquals([bytes_out, status], [5, 0]);
  });
  await test.step("long output without a line end is split into lines", async () => {
    const { session } = await closed("floods");
    const stderr = fixture.server.log.filter((one) =>
      one.event === "stderr" && one.session === session
    );
    assertEquals(stderr.every(({ message }) => String(message).length <= 4096), true);
    assertEquals(
      stderr.map(({ message }) => String(message).length).reduce((a, b) => a + b),
      300_000,
    );
  });
});

Deno.test("exec: a program waits for no log that leaves its standard error out", async (test) => {
  await using fixture = await ExecServer.open({
    // More than its budget takes in five minutes.
    floods: { script: "head -c 20000000 /dev/zero >&2; readlink /proc/$$/fd/2; echo done" },
  });
  const before = await Deno.readTextFile(fixture.config);
  for (const level of ["warn", "error"]) {
    await test.step(level, async () => {
      await fixture.program.write("config.yaml", `${before}log: { level: ${level} }\n`);
      const argv = ["socat", "-t10", "-", `UNIX:${fixture.program.path("floods.sock")}`];
      const { stdout } = await fixture.program.execute(argv, { input: "" });
      assertEquals(stdout, "/dev/null\ndone\n");
    });
  }
});
