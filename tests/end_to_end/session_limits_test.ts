/** The limits of connections and of idle time. */
import { assertEquals } from "@std/assert";
import { openConnection, openConsole } from "../support/console_server.ts";
import { isRoot } from "../support/program.ts";

const options = { ignore: !isRoot };

Deno.test(
  "at a limit a connection is refused until another one has closed (needs root)",
  options,
  async () => {
    await using fixture = await openConsole(
      "limits: { max_connections: 4, max_connections_per_user: 2 }\n",
    );
    const inside = [await openConnection(fixture.socket), await openConnection(fixture.socket)];
    assertEquals(inside.map((one) => one.in), [true, true]);
    const third = await openConnection(fixture.socket);
    assertEquals(third.in, false);
    assertEquals((await fixture.server.event("deny")).reason, "over-limit");
    inside[0]!.connection.close();
    await fixture.server.event("close");
    const again = await openConnection(fixture.socket);
    assertEquals(again.in, true);
    for (const { connection } of [inside[1]!, third, again]) connection.close();
  },
);

Deno.test(
  "root gets in where others have filled the server, and no others do (needs root)",
  options,
  async () => {
    await using fixture = await openConsole(
      `limits: { max_connections: 2, max_connections_per_user: 100 }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
`,
    );
    const { program, server, socket } = fixture;
    const asBob = () =>
      program.command(["socat", "-t0", "-", `UNIX:${socket}`], { uid: 579, input: "" }).spawn();
    const full = [asBob(), asBob()];
    await server.events("allow", 2);
    // Twice four on a console: bob gets none of them, before or after root.
    const refused = await program.execute(["socat", "-", `UNIX:${socket}`], { uid: 579 });
    assertEquals(refused.stdout, "");
    const inside = [];
    for (let count = 0; count < 8; count++) inside.push(await openConnection(socket));
    assertEquals(inside.map((one) => one.in), Array(8).fill(true));
    const ninth = await openConnection(socket);
    assertEquals(ninth.in, false);
    const denied = await server.events("deny", 2);
    assertEquals(denied.map(({ reason, user }) => [reason, user]), [
      ["over-limit", "bob"],
      ["over-limit", undefined],
    ]);
    for (const { connection } of [...inside, ninth]) connection.close();
    for (const child of full) {
      await child.stdin.close();
      await child.output();
    }
  },
);

Deno.test(
  "an idle session is closed, whether it has ever sent data or not (needs root)",
  options,
  async () => {
    await using fixture = await openConsole("limits: { idle_timeout: 200ms }\n");
    const silent = await openConnection(fixture.socket);
    const once = await openConnection(fixture.socket);
    // Where this test is held up before, it is closed already.
    await once.connection.write(
      new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n'),
    ).catch(() => {});
    assertEquals(await silent.connection.read(new Uint8Array(10)), null);
    while (await once.connection.read(new Uint8Array(4096)) !== null);
    const closes = await fixture.server.events("close", 2);
    assertEquals(closes.map(({ reason }) => reason), ["idle", "idle"]);
    silent.connection.close();
    once.connection.close();
  },
);
