/** An exec service: a shutdown of the server ends its programs. */
import { assertEquals } from "@std/assert";
import {
  ended,
  ExecServer,
  IGNORES_SIGTERM,
  isAlive,
  isOf,
  readLine,
} from "../support/exec_server.ts";

Deno.test("exec: a shutdown ends the programs within the grace time", async (test) => {
  const scripts = {
    waits: { script: "echo $$; exec sleep 1000" },
    stubborn: { script: "trap '' TERM; echo $$; while :; do sleep 1000; done" },
  };
  await test.step("a program that ends in time is not killed", async () => {
    await using fixture = await ExecServer.open(
      { reads: { script: "echo $$; read line; echo got $line" } },
      "limits: { grace: 30s }\n",
    );
    using connection = await fixture.openConnection("reads");
    await readLine(connection);
    const stopped = fixture.server.stop();
    await connection.write(new TextEncoder().encode("it\n"));
    assertEquals(await readLine(connection), "got it");
    assertEquals(await stopped, 0);
    assertEquals((await fixture.server.event("close")).reason, "end");
  });
  await test.step("a waiting program gets SIGTERM, and one that ignores it is killed", async () => {
    await using fixture = await ExecServer.open(scripts, "limits: { grace: 100ms }\n");
    using waits = await fixture.openConnection("waits");
    using stubborn = await fixture.openConnection("stubborn");
    const pids = [Number(await readLine(waits)), Number(await readLine(stubborn))];
    assertEquals(await fixture.server.stop(), 0);
    assertEquals(pids.map(isAlive), [false, false]);
    for (const [name, signal] of [["waits", "SIGTERM"], ["stubborn", "SIGKILL"]] as const) {
      const { status, reason } = await fixture.server.event("close", isOf(name));
      assertEquals([status, reason], [signal, "shutdown"]);
    }
  });
  await test.step("a leftover process does not outlive the server", async () => {
    await using fixture = await ExecServer.open(
      { deaf: { script: IGNORES_SIGTERM } },
      "limits: { grace: 1h }\n",
    );
    using connection = await fixture.openConnection("deaf");
    const pid = Number(await readLine(connection));
    await connection.write(new TextEncoder().encode("end\n"));
    await fixture.server.event("close");
    assertEquals(isAlive(pid), true);
    assertEquals(await fixture.server.stop(), 0);
    await ended(pid);
  });
  await test.step("a second signal ends the programs at once", async () => {
    await using fixture = await ExecServer.open(scripts, "limits: { grace: 1h }\n");
    const stubborn = await fixture.openConnection("stubborn");
    const pid = Number(await readLine(stubborn));
    fixture.server.child.kill("SIGTERM");
    // The socket is removed: the first signal has arrived.
    const path = fixture.program.path("stubborn.sock");
    while (await Deno.lstat(path).then(() => true, () => false));
    assertEquals(await fixture.server.stop("SIGTERM"), 0);
    assertEquals(isAlive(pid), false);
    stubborn.close();
  });
});
