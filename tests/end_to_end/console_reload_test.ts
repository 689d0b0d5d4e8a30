/** The console reloads the configuration, reports a bad file, and shows the counters. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Program } from "../support/program.ts";

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

Deno.test("the console reloads, and shows a bad file and the counters", async (test) => {
  await using program = await Program.install();
  const [a, b] = [program.path("a.sock"), program.path("b.sock")];
  const config = await program.write("config.yaml", `listeners: [{ unix: ${a} }]\n${USERS}`);
  await using server = await program.serve(["--config", config]);
  const say = (...commands: string[]) =>
    program.run(["connect", `--unix=${a}`, ...commands.flatMap((one) => ["-c", one])]);
  await test.step("reload", async () => {
    await program.write("config.yaml", `listeners: [{ unix: ${a} }, { unix: ${b} }]\n${USERS}`);
    assertEquals((await say("reload")).stdout, `path ${config}\n`);
    await server.event("listen", ({ listener }) => listener === `unix:${b}`);
  });
  await test.step("a bad file, and since when", async () => {
    const before = new Date().toISOString();
    await program.write(
      "config.yaml",
      "users: [{ name: bob, uid: 579 }, { name: eve, uid: 579 }]\n",
    );
    const { stdout, code } = await say("show config", "reload");
    const [, since] = stdout.match(/^# the file on disk is bad since (\S+), and not in force:$/m)!;
    assert(since! >= before && since! <= new Date().toISOString(), since);
    assertMatch(stdout, /^# .*:1:\d+: /m);
    assertEquals(code, 65);
    // The running configuration is the one that was good.
    assertStringIncludes((await say("show users")).stdout, "bob");
  });
  await test.step("the metrics are the counts of the log", async () => {
    const { stdout } = await say("show metrics");
    const [, allowed] = stdout.match(/^ipcauth_allowed_total (\d+)$/m)!;
    assertEquals((await server.events("allow", Number(allowed))).length, Number(allowed));
    assertStringIncludes(stdout, "ipcauth_sessions 1\n");
    assert(stdout.endsWith("# EOF\n"));
  });
});
