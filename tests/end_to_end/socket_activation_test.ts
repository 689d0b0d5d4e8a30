/** Sockets that a service manager has opened are served (`sd_listen_fds(3)`). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { activation } from "../support/activation.ts";
import { receiveAll } from "../support/connections.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { Program, RunningServer } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

Deno.test("passed sockets are served", async (test) => {
  await using program = await Program.install();
  const activate = activation(program);
  await test.step("with the service that the configuration has for their address", async () => {
    const [path, port] = [program.path("passed.sock"), freePort()];
    const key = await writeKey(program, "bob.key");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${path}, service: { exec: [/bin/echo, passed] } }
  - { unix: ${program.path("own.sock")}, service: { exec: [/bin/echo, own] } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${key}, user: bob }]
    service: { exec: [/bin/echo, tcp] }
${USERS}`,
    );
    const sockets = `unix:${path},tcp:127.0.0.1:${port}`;
    await using server = new RunningServer(activate(sockets, ["--config", config]).spawn());
    await server.events("listen", 3);
    assertEquals(await receiveAll(path), "passed\n");
    assertEquals(await receiveAll(program.path("own.sock")), "own\n");
    const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    assertEquals((await program.run(["connect", ...where], { input: "" })).stdout, "tcp\n");
    assertEquals(await server.stop(), 0);
    // The passed socket belongs to the manager, which may start the server again.
    assertEquals([await exists(path), await exists(program.path("own.sock"))], [true, false]);
  });
  await test.step("and no others, without an address in the configuration", async () => {
    const path = program.path("only.sock");
    const config = await program.write("only.yaml", USERS);
    const serve = ["--config", config, "--exec", "--", "/bin/echo", "only"];
    await using server = new RunningServer(activate(`unix:${path}`, serve).spawn());
    await server.event("listen");
    assertEquals(await receiveAll(path), "only\n");
    await server.stop();
    assertEquals(server.log.filter(({ event }) => event === "listen").length, 1);
  });
  await test.step("sockets passed to another process are ignored", async () => {
    const own = program.path("mine.sock");
    const command = activate(`unix:${program.path("x.sock")}`, [`--unix=${own}`], { pid: "1" });
    await using server = new RunningServer(command.spawn());
    const { listener } = await server.event("listen");
    assertEquals(listener, `unix:${own}`);
  });
  await test.step("a socket that cannot be served is refused", async () => {
    for (
      const [sockets, what] of [
        ["abstract:ipcauth-test-socket", "an abstract socket"],
        ["quiet:127.0.0.1:0", "it does not listen"],
      ] as const
    ) {
      const { code, stderr } = await activate(sockets).output();
      assertEquals(code, 78);
      assertStringIncludes(new TextDecoder().decode(stderr), what);
    }
  });
});
