/** A server in its sandbox does what any other does, and refuses what would need more. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { activation } from "../support/activation.ts";
import { Backend, echo } from "../support/backend.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { hasLandlock } from "../support/landlock.ts";
import { Program, RunningServer } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

const options = { ignore: !hasLandlock };
const BOB = "aaa authentication users user bob";

/** A configuration with one more user. */
function withEve(text: string): string {
  return text.replace("users:", "users:\n  - { name: eve, uid: 580, local_ipc_access: true }");
}

/** Waits until a text is in a file. */
async function textIn(path: string, part: string): Promise<void> {
  while (!(await Deno.readTextFile(path).catch(() => "")).includes(part)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test(
  "a sandboxed server serves, is edited, and rotates keys and logs",
  options,
  async (test) => {
    await using program = await Program.install();
    for (const name of ["conf", "keys", "log"]) await Deno.mkdir(program.path(name));
    const [root, bob] = [
      await writeKey(program, "keys/root.key"),
      await writeKey(program, "keys/bob.key"),
    ];
    const [console, local] = [program.path("run", "ipc.sock"), program.path("run", "echo.sock")];
    const log = program.path("log", "audit.log");
    const [port, forwarded] = [freePort(), freePort()];
    using backend = new Backend(program.path("backend.sock"), echo);
    const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for await (const one of target) echo(one).catch(() => {}).finally(() => one.close());
    })();
    const good = `listeners:
  - { unix: ${console}, service: console }
  - { unix: ${local}, service: { forward: "unix:${backend.path}" } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${root} }, { file: ${bob}, user: bob }]
    service: console
  - tcp: 127.0.0.1:${forwarded}
    keys: [{ file: ${root} }]
    service: { forward: "tcp:127.0.0.1:${target.addr.port}" }
users:
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
log: { file: ${log} }
sandbox: on
`;
    const config = await program.write("conf/config.yaml", good);
    const start = program.command(["ipcauth", "serve", "--config", config]);
    await using server = new RunningServer(start.spawn());
    const run = (...args: string[]) => program.run([...args, "--config", config]);
    const ask = async (...commands: string[]) => {
      const { code, stdout, stderr } = await program.run([
        ...["connect", `--unix=${console}`],
        ...commands.flatMap((one) => ["-c", one]),
      ]);
      assertEquals([code, stderr], [0, ""], stdout);
      return stdout;
    };
    const status = async () => {
      const { stdout } = await program.run(["status", "--json", `--unix=${console}`]);
      return JSON.parse(stdout);
    };
    await textIn(log, `"listener":"tcp:127.0.0.1:${forwarded}"`);
    // The lines of the listeners before that one are whole.
    const made = (await Deno.readTextFile(log)).match(/"listener":"[^"]+","message":"made [^"]+"/g);
    const directory = `"made the directory ${program.path("run")}"`;
    assertEquals(made, [`"listener":"unix:${console}","message":${directory}`]);
    await test.step("the process is the one that was started", async () => {
      const { sandbox, pid } = await status();
      assertEquals([sandbox.active, sandbox.reason, pid], [true, null, server.pid]);
      const environment = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
      assertEquals(environment.split("\0").filter((one) => one.startsWith("LISTEN")), []);
    });
    await test.step("every service works, on Unix sockets and over TCP", async () => {
      using connection = await Deno.connect({ transport: "unix", path: local });
      await connection.write(new TextEncoder().encode("local"));
      const bytes = new Uint8Array(5);
      await connection.read(bytes);
      assertEquals(new TextDecoder().decode(bytes), "local");
      const keyed = [`--tcp=127.0.0.1:${forwarded}`, `--key=${root}`, "--pipe"];
      const { stdout } = await program.run(["connect", ...keyed], { input: "keyed" });
      assertEquals(stdout, "keyed");
    });
    await test.step("the console edits the file, and rolls back what is not confirmed", async () => {
      await ask("deny bob");
      assertStringIncludes(await Deno.readTextFile(config), "local_ipc_access: false");
      await ask("config", `${BOB} local_ipc_access true`, "commit confirmed 60");
      assert(await exists(`${config}.unconfirmed`));
      await ask("commit");
      assertEquals(await exists(`${config}.unconfirmed`), false);
      await ask("config", `${BOB} admin true`, "commit confirmed 1");
      await textIn(log, '"reason":"rolled-back"');
      assertEquals((await Deno.readTextFile(config)).includes("admin: true"), false);
    });
    await test.step("a key is rotated", async () => {
      const { stdout } = await run("keys", "list", "--json");
      const { id } = JSON.parse(stdout).find(({ user }: { user?: string }) => user === "bob");
      const next = JSON.parse((await run("keys", "rotate", id, "--json")).stdout);
      const keyed = [`--tcp=127.0.0.1:${port}`, `--key=${next.file}`];
      assertStringIncludes((await program.run(["connect", ...keyed, "-c", "who"])).stdout, "bob");
    });
    await test.step("the log is moved away and opened again", async () => {
      await Deno.rename(log, `${log}.1`);
      server.child.kill("SIGHUP");
      await textIn(log, '"event":"reload"');
    });
    await test.step("what needs more is refused, and nothing of it is in force", async () => {
      const before = await Deno.readTextFile(config);
      const elsewhere = program.path("elsewhere");
      await Deno.mkdir(elsewhere);
      const other = await writeKey(program, "elsewhere/other.key");
      for (
        const [change, what] of [
          [
            before.replace(console, `${elsewhere}/x.sock`),
            `leaves out ${elsewhere}, which the socket`,
          ],
          [before.replace(root, other), `leaves out ${elsewhere}, which the key ${other}`],
          [
            before.replace(log, `${elsewhere}/a.log`),
            `leaves out ${elsewhere}, which the log file`,
          ],
          [before.replace(`:${port}`, `:${freePort()}`), "may not listen on port"],
          [before.replace(`:${target.addr.port}`, `:${port}`), "may not connect to port"],
          [
            before.replace("service: console", "service: { exec: [/bin/true] }")
              .replace("sandbox: on", "sandbox: auto"),
            "programs would inherit",
          ],
        ] as const
      ) {
        assert(change !== before, what);
        await program.write("conf/config.yaml", withEve(change));
        const { config: found } = await status();
        assertEquals(found.good, false, what);
        assertStringIncludes(found.problem, what);
        assertMatch(found.problem, /^\S+config.yaml:[0-9]+:[0-9]+: /);
        assertStringIncludes(found.hint, "restart the server");
        assertEquals((await ask("show users")).includes("eve"), false);
      }
      await program.write("conf/config.yaml", withEve(before));
      assertMatch(await ask("show users"), /^eve /m);
      assertEquals((await status()).config.good, true);
    });
    assertEquals(await server.stop(), 0);
    assertEquals([await exists(console), await exists(local)], [false, false]);
    target.close();
    await answering;
  },
);

Deno.test("passed sockets and signals reach the server in its sandbox", options, async () => {
  await using program = await Program.install();
  const [socket, port] = [program.path("passed.sock"), freePort()];
  const key = await writeKey(program, "root.key");
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${socket}, service: console }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key} }], service: console }
sandbox: on
`,
  );
  const sockets = `unix:${socket},tcp:127.0.0.1:${port}`;
  const start = activation(program)(sockets, ["--config", config]);
  await using server = new RunningServer(start.spawn());
  await server.events("listen", 2);
  for (const where of [[`--unix=${socket}`], [`--tcp=127.0.0.1:${port}`, `--key=${key}`]]) {
    const { stdout } = await program.run(["status", "--json", ...where]);
    const { pid, sandbox } = JSON.parse(stdout);
    assertEquals([pid, sandbox.active], [server.pid, true]);
  }
  server.child.kill("SIGHUP");
  await server.event("reload");
  assertEquals(await server.stop(), 0);
  assert(await exists(socket));
});
