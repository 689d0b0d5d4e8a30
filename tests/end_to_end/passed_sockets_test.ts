/** Passed sockets must be claimed at the start, stay open, and are no console by default. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { activation } from "../support/activation.ts";
import { drain } from "../support/connections.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { Program, RunningServer } from "../support/program.ts";

const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";
const says = (word: string) => `service: { exec: [/bin/echo, ${word}] }`;

async function prepare() {
  const program = await Program.install();
  const activate = activation(program);
  return {
    program,
    activate,
    write: (...listeners: string[]) =>
      program.write(
        "config.yaml",
        (listeners.length > 0 ? "listeners:\n" : "") +
          listeners.map((one) => `  - ${one}\n`).join("") + USERS,
      ),
    /** The exit code and the error of a server that refuses the sockets it was passed. */
    refused: async (...args: Parameters<typeof activate>) => {
      const { code, stderr } = await activate(...args).output();
      assertEquals(code, 78);
      return new TextDecoder().decode(stderr);
    },
    receiveAll: async (path: string) => {
      using connection = await Deno.connect({ transport: "unix", path });
      return new TextDecoder().decode((await drain(connection)).bytes);
    },
    [Symbol.asyncDispose]: () => program.remove(),
  };
}

Deno.test("a passed socket without a listener is refused, with the line to add", async (test) => {
  await using fixture = await prepare();
  const { program, activate, write, refused } = fixture;
  const [own, passed, port] = [program.path("own.sock"), program.path("passed.sock"), freePort()];
  await test.step("a Unix socket", async () => {
    const config = await write(`{ unix: ${own} }`);
    const error = await refused(`unix:${passed}`, ["--config", config]);
    assertStringIncludes(error, `The socket unix:${passed} was passed to this server`);
    assertStringIncludes(
      error,
      `hint: add to listeners in ${config}: - { unix: "${passed}", service: console }`,
    );
  });
  await Deno.remove(passed);
  await test.step("beside another one that the command line names", async () => {
    const config = await write();
    await refused(`unix:${passed}`, [`--unix=${own}`, "--config", config]);
  });
  await Deno.remove(passed);
  await test.step("a TCP socket", async () => {
    const config = await write(`{ unix: ${own} }`);
    const error = await refused(`tcp:127.0.0.1:${port}`, ["--config", config]);
    assertStringIncludes(
      error,
      `- { tcp: "127.0.0.1:${port}", keys: [{ file: FILE, user: NAME }] }`,
    );
  });
  await test.step("one whose host is a name in the file", async () => {
    const key = await writeKey(program, "k.key");
    const config = await write(`{ tcp: "localhost:${port}", keys: [{ file: ${key} }] }`);
    const error = await refused(`tcp:127.0.0.1:${port}`, ["--config", config]);
    const [right, wrong] = [`"127.0.0.1:${port}"`, `"localhost:${port}"`];
    assertStringIncludes(error, `write ${right} instead of ${wrong} in line 2 of ${config}`);
  });
  await test.step("but not where the command line names a service", async () => {
    const config = await write(`{ unix: ${own} }`);
    const serve = ["--config", config, "--exec", "--", "/bin/echo", "said"];
    await using server = new RunningServer(activate(`unix:${passed}`, serve).spawn());
    await server.events("listen", 2);
    assertEquals(await fixture.receiveAll(passed), "said\n");
  });
});

Deno.test("a passed socket whose listener is removed serves no one meanwhile", async (test) => {
  await using fixture = await prepare();
  const { program, activate, write, receiveAll } = fixture;
  const [own, passed, port] = [program.path("own.sock"), program.path("passed.sock"), freePort()];
  const key = await writeKey(program, "k.key");
  const rest = `{ unix: ${own} }`;
  const tcp = (word: string) =>
    `{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], ${says(word)} }`;
  const connect = () =>
    program.run(["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"], { input: "" });
  const config = await write(`{ unix: ${passed}, ${says("one")} }`, tcp("one"), rest);
  const sockets = `unix:${passed},tcp:127.0.0.1:${port}`;
  await using server = new RunningServer(activate(sockets, ["--config", config]).spawn());
  await server.events("listen", 3);
  assertEquals([await receiveAll(passed), (await connect()).stdout], ["one\n", "one\n"]);
  await test.step("removed, it serves no one, and closes each connection", async () => {
    await write(rest);
    assertEquals(await receiveAll(passed), "");
    const { code, stdout } = await connect();
    assertEquals([code, stdout], [77, ""]);
    assertEquals((await program.run(["connect", `--unix=${passed}`, "-c", "who"])).code, 77);
    const stops = await server.events("stop", 2);
    assertEquals(
      stops.map(({ listener }) => listener).toSorted(),
      [`tcp:127.0.0.1:${port}`, `unix:${passed}`],
    );
    assertEquals((await server.event("deny")).reason, "not-on-listener");
  });
  await test.step("added again, it has the new service", async () => {
    await write(`{ unix: ${passed}, ${says("two")} }`, tcp("two"), rest);
    await server.events("listen", 5);
    assertEquals([await receiveAll(passed), (await connect()).stdout], ["two\n", "two\n"]);
  });
  await test.step("without any listener it is no console either", async () => {
    await write();
    assertEquals(await receiveAll(passed), "");
    assertEquals((await connect()).code, 77);
  });
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.filter(({ event }) => event === "error"), []);
});

Deno.test("the mode of a passed socket stays, whatever the file says", async () => {
  await using fixture = await prepare();
  const { program, activate, write, receiveAll } = fixture;
  const passed = program.path("passed.sock");
  const config = await write(`{ unix: ${passed}, mode: "0600", ${says("one")} }`);
  await using server = new RunningServer(activate(`unix:${passed}`, ["--config", config]).spawn());
  await server.event("listen");
  const before = await Deno.lstat(passed);
  await write(`{ unix: ${passed}, mode: "0660", ${says("two")} }`);
  assertEquals(await receiveAll(passed), "two\n");
  await write(`{ unix: ${passed}, mode: "0640", ${says("two")} }`);
  assertEquals(await receiveAll(passed), "two\n");
  const { ino, mode } = await Deno.lstat(passed);
  assertEquals([ino, mode], [before.ino, before.mode]);
  await server.events("reload", 2);
  assertEquals(server.log.filter(({ event }) => event === "stop" || event === "error"), []);
});

Deno.test("two passed sockets with one address are refused", async () => {
  await using fixture = await prepare();
  const port = freePort();
  const twin = `shared:127.0.0.1:${port}`;
  const error = await fixture.refused(`${twin},${twin}`);
  assertStringIncludes(error, `descriptors 3 and 4 are both tcp:127.0.0.1:${port}`);
});

Deno.test("a LISTEN_FDS that is no number is refused", async () => {
  await using fixture = await prepare();
  const path = fixture.program.path("a.sock");
  for (const count of ["abc", "-1", "1 ", "1000", "0x1", "1.5"]) {
    const error = await fixture.refused(`unix:${path}`, [], { count });
    assertStringIncludes(error, `LISTEN_FDS is ${JSON.stringify(count)}`);
    await Deno.remove(path);
  }
  // LISTEN_FDS of another process is ignored.
  const own = fixture.program.path("own.sock");
  const command = fixture.activate(`unix:${path}`, [`--unix=${own}`], { pid: "1", count: "abc" });
  await using server = new RunningServer(command.spawn());
  assertEquals((await server.event("listen")).listener, `unix:${own}`);
});
