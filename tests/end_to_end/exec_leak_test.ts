/** An exec service: sessions leave no process and no descriptor. */
import { assertEquals } from "@std/assert";
import { drain } from "../support/connections.ts";
import { ExecServer, restingDescriptors, untilNothingIsLeft } from "../support/exec_server.ts";

Deno.test("exec: 300 sessions leave no child process and no descriptor", async () => {
  await using fixture = await ExecServer.open({ echo: { script: "echo hello", tcp: true } });
  const { pid } = fixture.server;
  await drain(await fixture.openConnection("echo"));
  await fixture.server.events("close", 1);
  const before = await restingDescriptors(pid);
  for (let round = 0; round < 20; round++) {
    const outputs = await Promise.all(
      Array.from({ length: 15 }, async () => {
        using connection = await fixture.openConnection("echo");
        return new TextDecoder().decode((await drain(connection)).bytes);
      }),
    );
    assertEquals(new Set(outputs), new Set(["hello\n"]));
  }
  await fixture.keyed("echo", "bob.key");
  await fixture.server.events("close", 302);
  await untilNothingIsLeft(pid, before);
});
