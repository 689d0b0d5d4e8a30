/** An exec service: a session ends with its program, and its program with the session. */
import { assert, assertEquals } from "@std/assert";
import { drain } from "../support/connections.ts";
import {
  ended,
  ExecServer,
  IGNORES_SIGTERM,
  isAlive,
  isOf,
  readLine,
} from "../support/exec_server.ts";
import { isRoot, Lines } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

const options = { ignore: !isRoot };

Deno.test("exec: a session ends with its program, and the program with it", async (test) => {
  await using fixture = await ExecServer.open({
    waits: { script: "echo $$; exec sleep 1000", tcp: true },
    stubborn: { script: "trap '' TERM; echo $$; while :; do sleep 1000; done" },
    leaves: { script: "sleep 1000 & echo $!; exit 0" },
    cat: { script: "exec cat" },
    deaf: { script: IGNORES_SIGTERM },
  });
  await test.step("a leftover process that ignores SIGTERM is killed after the grace", async () => {
    using connection = await fixture.openConnection("deaf");
    const pid = Number(await readLine(connection));
    const start = performance.now();
    await connection.write(new TextEncoder().encode("end\n"));
    const { reason, status } = await fixture.server.event("close", isOf("deaf"));
    assertEquals([reason, status], ["end", 0]);
    await ended(pid);
    assert(performance.now() - start >= 200, "it was killed before the grace time was over");
  });
  await test.step("a leftover process ends with its program", async () => {
    using connection = await fixture.openConnection("leaves");
    const pid = Number(await readLine(connection));
    // The connection ends although the leftover process still holds a copy of it.
    assertEquals((await drain(connection)).reset, false);
    await fixture.server.event("close", isOf("leaves"));
    await ended(pid);
  });
  await test.step("an administrator closes the session", async () => {
    using connection = await fixture.openConnection("waits");
    const pid = Number(await readLine(connection));
    const { session } = await fixture.server.event("allow", isOf("waits"));
    const { code } = await fixture.program.run([
      ...["connect", `--unix=${fixture.program.path("console.sock")}`],
      ...["-c", `close session ${session}`],
    ]);
    assertEquals(code, 0);
    assertEquals((await drain(connection)).bytes.length, 0);
    const { reason, status } = await fixture.server.event("close", isOf("waits"));
    assertEquals([reason, status, isAlive(pid)], ["closed", "SIGTERM", false]);
  });
  await test.step("a program that ignores SIGTERM is killed", async () => {
    using connection = await fixture.openConnection("stubborn");
    const pid = Number(await readLine(connection));
    const { session } = await fixture.server.event("allow", isOf("stubborn"));
    const where = `--unix=${fixture.program.path("console.sock")}`;
    await fixture.program.run(["connect", where, "-c", `close session ${session}`]);
    await drain(connection);
    const { status, duration_ms } = await fixture.server.event("close", isOf("stubborn"));
    assertEquals([status, isAlive(pid)], ["SIGKILL", false]);
    assert(
      Number(duration_ms) >= 200,
      `killed after ${duration_ms} ms, before its grace time was over`,
    );
  });
  await test.step("a program that reads its input ends when the peer closes", async () => {
    const connection = await fixture.openConnection("cat");
    await connection.write(new TextEncoder().encode("x\n"));
    await readLine(connection);
    connection.close();
    const { status, reason } = await fixture.server.event("close", isOf("cat"));
    assertEquals([status, reason], [0, "end"]);
  });
});

for (const transport of ["unix", "tcp"] as const) {
  Deno.test(
    `exec: a session that lost access is closed, over ${transport} (needs root)`,
    options,
    async () => {
      await using fixture = await ExecServer.open({
        waits: { script: "echo $$; exec sleep 1000", tcp: true, runAs: "peer" },
      });
      const client = fixture.program.command(
        transport === "unix"
          ? ["socat", "-u", `UNIX:${fixture.program.path("waits.sock")}`, "-"]
          : [
            ...["ipcauth", "connect", `--tcp=127.0.0.1:${fixture.ports.waits}`, "--pipe"],
            `--key=${fixture.program.path("bob.key")}`,
          ],
        transport === "unix" ? { uid: 579, input: "" } : { input: "" },
      ).spawn();
      const lines = new Lines(client.stdout);
      const pid = Number(await lines.next());
      assertEquals(isAlive(pid), true);
      await fixture.program.run(["users", "deny", "bob", "--config", fixture.config]);
      assertEquals(await lines.next(), null);
      const { reason, status } = await fixture.server.event("close");
      assertEquals([reason, status, isAlive(pid)], ["revoked", "SIGTERM", false]);
      await client.stdin.close().catch(() => {});
      await client.status;
      await client.stderr.cancel();
    },
  );
}

Deno.test("exec: a program never takes a cut stream for a complete one", async (test) => {
  await using fixture = await ExecServer.open({
    stores: { script: "echo $$; cat > $PWD/stored; echo complete > $PWD/complete", tcp: true },
  });
  const start = () => {
    const child = fixture.program.command([
      ...["ipcauth", "connect", `--tcp=127.0.0.1:${fixture.ports.stores}`, "--pipe"],
      `--key=${fixture.program.path("bob.key")}`,
    ], { input: "" }).spawn();
    return { child, lines: new Lines(child.stdout), writer: child.stdin.getWriter() };
  };
  const isComplete = () => exists(fixture.program.path("complete"));
  for (const [how, opened] of [["killed", 1], ["revoked", 2]] as const) {
    await test.step(`the client is ${how}`, async () => {
      const { child, lines, writer } = start();
      const pid = Number(await lines.next());
      await writer.write(new TextEncoder().encode("half of it\n"));
      const stored = () => Deno.readTextFile(fixture.program.path("stored")).catch(() => "");
      while (await stored() !== "half of it\n");
      if (how === "killed") child.kill("SIGKILL");
      else await fixture.program.run(["users", "deny", "bob", "--config", fixture.config]);
      const { session } = (await fixture.server.events("allow", opened)).at(-1)!;
      const { reason, status } = await fixture.server.event(
        "close",
        (one) => one.session === session,
      );
      assertEquals(
        [reason, status],
        how === "killed" ? ["truncated", "SIGKILL"] : ["revoked", "SIGTERM"],
      );
      assertEquals([isAlive(pid), await isComplete()], [false, false]);
      await lines.cancel();
      await child.stderr.cancel();
      await writer.close().catch(() => {});
      await child.status;
      await fixture.program.run(["users", "allow", "bob", "--config", fixture.config]);
    });
  }
  await test.step("a stream with its end is complete", async () => {
    const { code } = await fixture.keyed("stores", "bob.key", "all of it\n");
    assertEquals([code, await isComplete()], [0, true]);
  });
});
