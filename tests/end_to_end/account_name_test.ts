/** A member of a group whose account is called like a configured user does not pass for it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { hasPrivateSystem, MEMBER } from "../support/private_system.ts";
import { Program } from "../support/program.ts";
import { variables } from "../support/exec_server.ts";

Deno.test({
  name: "an account named like a configured user is its uid to programs and the log (needs root)",
  ignore: !hasPrivateSystem,
  async fn() {
    await using program = await Program.install({ privateSystem: true });
    const text = (user: string) => `
groups: [{ name: members, gid: ${MEMBER.gids[0]}, local_ipc_access: true }]
users: [{ name: ${user}, uid: 579, local_ipc_access: true, admin: true }]
listeners:
  - { unix: ${program.path("env.sock")}, service: { exec: [/usr/bin/env] } }
  - { unix: ${program.path("console.sock")}, service: console }
`;
    const config = await program.write("config.yaml", text(MEMBER.name));
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 2);
    const member = { uid: MEMBER.uid, gid: MEMBER.gids[0], input: "" };
    const connect = async (socket: string) =>
      (await program.execute(["socat", "-t5", "-", `UNIX:${program.path(socket)}`], member)).stdout;

    const digits = String(MEMBER.uid);
    assertEquals(variables(await connect("env.sock"), "IPCAUTH_USER"), [digits]);
    assertStringIncludes(await connect("console.sock"), `"user":"${digits}","admin":false`);
    assertEquals((await server.events("allow", 2)).map(({ user }) => user), [digits, digits]);

    await program.write("config.yaml", text("dora"));
    assertEquals(variables(await connect("env.sock"), "IPCAUTH_USER"), [MEMBER.name]);
  },
});

Deno.test({
  name: "a session ends whose name is given to a user of another uid (needs root)",
  ignore: !hasPrivateSystem,
  async fn() {
    await using program = await Program.install({ privateSystem: true });
    const text = (users: string) => `
groups: [{ name: members, gid: ${MEMBER.gids[0]}, local_ipc_access: true }]
users: [${users}]
listeners: [{ unix: ${program.path("s")}, service: { exec: [/bin/cat] } }]
`;
    const entry = (name: string, uid: number) => `{ name: ${name}, uid: ${uid} }`;
    const member = { uid: MEMBER.uid, gid: MEMBER.gids[0], input: "" };
    for (const name of [MEMBER.name, MEMBER.name.toUpperCase()]) {
      const config = await program.write("config.yaml", text(entry("dora", 578)));
      await using server = await program.serve(["--config", config]);
      // Its input stays open: the server ends it.
      const connect = () =>
        program.command(["socat", "-", `UNIX:${program.path("s")}`], member).spawn();
      const clients = [connect()];
      // The first one may be let in before its name is known.
      while ((await server.events("allow", clients.length)).at(-1)!.user !== MEMBER.name) {
        clients.push(connect());
      }
      await program.write("config.yaml", text(entry(name, 579)));
      const { reason, user } = await server.event("revoke");
      assertEquals([reason, user], ["identity-changed", MEMBER.name]);
      for (const client of clients) {
        await client.stdin.close();
        await client.output();
      }
    }
  },
});
