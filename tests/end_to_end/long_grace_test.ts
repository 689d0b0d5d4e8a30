/** A time that the configuration may hold is no trap when times are added up. */
import { assertEquals } from "@std/assert";
import { drain } from "../support/connections.ts";
import { openConsole } from "../support/console_server.ts";

Deno.test("a server with the longest grace stops when its last session ends", async () => {
  // Twice this time is more than a timer of the runtime takes, and would be over at once.
  await using fixture = await openConsole("limits: { grace: 596h, idle_timeout: 596h }\n");
  const connection = await Deno.connect({ transport: "unix", path: fixture.socket });
  const one = new Uint8Array(1);
  await connection.read(one);
  const stopped = fixture.server.stop();
  // The socket file is removed: the signal has arrived.
  while (await Deno.lstat(fixture.socket).then(() => true, () => false));
  await connection.closeWrite();
  assertEquals((await drain(connection)).reset, false);
  connection.close();
  assertEquals(await stopped, 0, fixture.server.text);
  assertEquals((await fixture.server.event("close")).reason, "end");
});
