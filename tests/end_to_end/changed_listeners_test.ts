/** Changed listeners: the new file is in force as a whole, at the next connection. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { drain } from "../support/connections.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const USERS = `users:
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, gid: 580, local_ipc_access: true }
`;
const [BOB, CAROL] = [579, 580];

/** A program, a function that writes its listeners, and one that reads from a socket. */
async function fixture() {
  const program = await Program.install();
  const write = (...listeners: string[]) =>
    program.write(
      "config.yaml",
      `listeners:\n${listeners.map((one) => `  - ${one}\n`).join("")}${USERS}`,
    );
  /** What a uid receives that connects and sends nothing. */
  const receiveAs = async (path: string, uid: number) =>
    (await program.execute(["socat", "-u", `UNIX:${path}`, "-"], { uid })).stdout;
  return { program, write, receiveAs, [Symbol.asyncDispose]: () => program.remove() };
}

/** What the uid of the tests receives on a socket, or null where none listens. */
async function receiveAll(path: string): Promise<string | null> {
  try {
    using connection = await Deno.connect({ transport: "unix", path });
    return new TextDecoder().decode((await drain(connection)).bytes);
  } catch {
    return null;
  }
}

const echoService = (word: string) => `service: { exec: [/bin/echo, ${word}] }`;
const options = { ignore: !isRoot };

Deno.test(
  "a listener whose new service cannot start serves no one until it can (needs root)",
  options,
  async (test) => {
    await using setup = await fixture();
    const { program, write, receiveAs } = setup;
    const [path, tool] = [program.path("a.sock"), program.path("tool")];
    const secret = `[/bin/sh, -c, "echo secret; test $IPCREMOTEEUID != 0 || exec cat"]`;
    const config = await write(`{ unix: ${path}, allow: [bob], service: { exec: ${secret} } }`);
    await using server = await program.serve(["--config", config]);
    using session = await Deno.connect({ transport: "unix", path });
    const received = async () => {
      const bytes = new Uint8Array(64);
      return new TextDecoder().decode(bytes.subarray(0, await session.read(bytes) ?? 0));
    };
    assertEquals(await received(), "secret\n");
    await test.step("the allow list is in force", async () => {
      assertEquals([await receiveAs(path, BOB), await receiveAs(path, CAROL)], ["secret\n", ""]);
    });
    await test.step("the new allow list gives no access to the old service", async () => {
      await write(`{ unix: ${path}, service: { exec: [${tool}] } }`);
      assertEquals([
        await receiveAs(path, CAROL),
        await receiveAs(path, BOB),
        await receiveAll(path),
      ], [
        "",
        "",
        "",
      ]);
      assertEquals((await program.run(["connect", `--unix=${path}`, "-c", "who"])).code, 77);
    });
    await test.step("the log has the reason", async () => {
      assertEquals((await server.event("stop")).listener, `unix:${path}`);
      const { message } = await server.event("error");
      assertEquals(message, `Cannot offer the program ${tool}: no such file or directory`);
      const refused = (uid: number) =>
        server.event(
          "deny",
          ({ reason, peer }) =>
            reason === "not-on-listener" && (peer as { uid: number }).uid === uid,
        );
      assertEquals([(await refused(BOB)).user, (await refused(0)).user ?? null], ["bob", null]);
    });
    await test.step("an open session goes on", async () => {
      await session.write(new TextEncoder().encode("still here"));
      assertEquals(await received(), "still here");
    });
    await test.step("the new service starts as soon as it can", async () => {
      await program.write("tool", "#!/bin/sh\necho new\n", 0o755);
      await server.events("listen", 2);
      assertEquals([await receiveAs(path, CAROL), await receiveAs(path, BOB)], ["new\n", "new\n"]);
      assertEquals(server.log.filter(({ event }) => event === "error").length, 1);
      assertEquals(server.log.filter(({ event }) => event === "stop").length, 1);
    });
  },
);

Deno.test(
  "over TCP, too, a new service that cannot start ends access to the old one",
  async () => {
    await using setup = await fixture();
    const { program, write } = setup;
    const [port, tool, key] = [freePort(), program.path("tool"), await writeKey(program, "k.key")];
    const keys = `keys: [{ file: ${key}, user: bob }]`;
    const config = await write(`{ tcp: "127.0.0.1:${port}", ${keys}, ${echoService("old")} }`);
    await using server = await program.serve(["--config", config]);
    const receiveAs = () =>
      program.run(["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"], { input: "" });
    assertEquals((await receiveAs()).stdout, "old\n");
    await write(`{ tcp: "127.0.0.1:${port}", ${keys}, service: { exec: [${tool}] } }`);
    const { code, stdout, stderr } = await receiveAs();
    assertEquals([code, stdout], [77, ""]);
    assertStringIncludes(stderr, "not-on-listener");
    await program.write("tool", "#!/bin/sh\necho new\n", 0o755);
    await server.events("listen", 2);
    assertEquals((await receiveAs()).stdout, "new\n");
  },
);

Deno.test(
  "after --drop-to a service that needs root does not start, and ends the old one (needs root)",
  options,
  async () => {
    await using setup = await fixture();
    const { program, write, receiveAs } = setup;
    const path = program.path("a.sock");
    const config = await write(`{ unix: ${path}, ${echoService("console")} }`);
    await using server = await program.serve(["--config", config, "--drop-to", "daemon"]);
    for (
      const service of [
        "{ exec: [/bin/echo, peer], run_as: peer }",
        `{ forward: "unix:${program.path("b.sock")}", identity: impersonate }`,
      ]
    ) {
      await write(`{ unix: ${path}, service: ${service} }`);
      assertEquals([await receiveAs(path, BOB), await receiveAll(path)], ["", ""]);
    }
    const [error] = await server.events("error", 2);
    assertStringIncludes(String(error!.message), "run_as: peer needs a server that is root");
    // In this directory the server could not create its socket again.
    await write(`{ unix: ${path}, ${echoService("again")} }`);
    assertEquals([await receiveAs(path, BOB), await receiveAll(path)], ["again\n", "again\n"]);
    assertEquals((await server.events("listen", 2)).length, 2);
  },
);

Deno.test(
  "a configuration that does not fit the command line is a bad configuration (needs root)",
  options,
  async () => {
    await using setup = await fixture();
    const { program, write, receiveAs } = setup;
    const path = program.path("a.sock");
    const config = await write(`{ unix: ${path}, allow: [bob] }`);
    await using server = await program.serve(["--config", config, "--exec", "--", "echo", "one"]);
    await write(`{ unix: ${path} }`, `{ unix: ${program.path("b.sock")} }`);
    // Its allow list is not in force either.
    assertEquals([await receiveAs(path, CAROL), await receiveAs(path, BOB)], ["", "one\n"]);
    const { reason, message } = await server.event("reload");
    assertEquals(reason, "bad-config");
    assertStringIncludes(String(message), "2 listeners: which one is meant?");
    await write(`{ unix: ${path} }`);
    assertEquals(await receiveAs(path, CAROL), "one\n");
  },
);

Deno.test(
  "a changed allow list decides the next connection, however the path is spelled (needs root)",
  options,
  async () => {
    await using setup = await fixture();
    const { program, write, receiveAs } = setup;
    const path = program.path("a.sock");
    const config = await write(`{ unix: ${path}, ${echoService("in")} }`);
    await using _server = await program.serve(["--config", config]);
    for (
      const spelling of [path, `${program.directory}//a.sock`, `${program.directory}/./a.sock`]
    ) {
      await write(`{ unix: ${spelling}, allow: [bob], ${echoService("in")} }`);
      assertEquals(
        [await receiveAs(path, CAROL), await receiveAs(path, BOB)],
        ["", "in\n"],
        spelling,
      );
      await write(`{ unix: ${spelling}, allow: [carol], ${echoService("in")} }`);
      assertEquals(
        [await receiveAs(path, CAROL), await receiveAs(path, BOB)],
        ["in\n", ""],
        spelling,
      );
      await write(`{ unix: ${spelling}, ${echoService("in")} }`);
      assertEquals(
        [await receiveAs(path, CAROL), await receiveAs(path, BOB)],
        ["in\n", "in\n"],
        spelling,
      );
    }
  },
);

Deno.test("changed keys decide the next connection, however the host is spelled", async () => {
  await using setup = await fixture();
  const { program, write } = setup;
  const [port, old, next] = [
    freePort(),
    await writeKey(program, "old.key"),
    await writeKey(program, "next.key"),
  ];
  const line = (host: string, key: string) =>
    `{ tcp: "${host}:${port}", keys: [{ file: ${key}, user: bob }], ${echoService("in")} }`;
  const config = await write(line("localhost", old));
  await using _server = await program.serve(["--config", config]);
  const code = async (key: string) => {
    const where = [`--tcp=localhost:${port}`, `--key=${key}`, "--pipe"];
    return (await program.run(["connect", ...where], { input: "" })).code;
  };
  assertEquals([await code(old), await code(next)], [0, 77]);
  for (const host of ["localhost", "LocalHost"]) {
    await write(line(host, next));
    assertEquals([await code(old), await code(next)], [77, 0], host);
    await write(line(host, old));
    assertEquals([await code(old), await code(next)], [0, 77], host);
  }
});

Deno.test(
  "the keys of a listener in the file replace the default key (needs root)",
  options,
  async () => {
    await using setup = await fixture();
    const { program } = setup;
    const port = freePort();
    const key = async (name: string, path: string) => {
      await Deno.rename(await writeKey(program, name), path);
      await Deno.chown(path, BOB, BOB);
      return path;
    };
    const directory = program.path("home", "ipcauth");
    await Deno.mkdir(directory, { recursive: true });
    const meant = await key("ipc", `${directory}/ipc.key`);
    const bobs = await key("bob", `${directory}/bob.key`);
    const config = await program.write("config.yaml", USERS);
    const env = { XDG_CONFIG_HOME: program.path("home") };
    const flags = [
      `--tcp=127.0.0.1:${port}`,
      "--config",
      config,
      "--exec",
      "--",
      "/bin/echo",
      "in",
    ];
    await using server = await program.serve(flags, { uid: BOB, env });
    const code = async (file: string) => {
      const where = [`--tcp=127.0.0.1:${port}`, `--key=${file}`, "--pipe"];
      return (await program.run(["connect", ...where], { uid: BOB, input: "" })).code;
    };
    assertEquals([await code(meant), await code(bobs)], [0, 77]);
    const line = `- { tcp: "127.0.0.1:${port}", keys: [{ file: ${bobs}, user: bob }] }`;
    await program.write("config.yaml", `listeners:\n  ${line}\n${USERS}`);
    assertEquals([await code(meant), await code(bobs)], [77, 0]);
    assertEquals(server.log.filter(({ event }) => event === "stop" || event === "error"), []);
  },
);

Deno.test("a removed listener serves no connection, and a later one is another", async () => {
  await using setup = await fixture();
  const { program, write } = setup;
  const [path, other] = [program.path("a.sock"), program.path("b.sock")];
  const config = await write(`{ unix: ${path}, ${echoService("0")} }`, `{ unix: ${other} }`);
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 2);
  for (let round = 1; round <= 8; round++) {
    await write(`{ unix: ${other} }`);
    // Refused, or not found: neither is served.
    assertEquals(await receiveAll(path) || null, null);
    await write(`{ unix: ${path}, ${echoService(String(round))} }`, `{ unix: ${other} }`);
    await server.events("listen", 2 + round);
    assertEquals(await receiveAll(path), `${round}\n`);
  }
  assertEquals(server.log.filter(({ event }) => event === "error"), []);
});

Deno.test("an access check that is pending when its listener is removed fails", async () => {
  await using setup = await fixture();
  const { program, write } = setup;
  const [port, key, other] = [
    freePort(),
    await writeKey(program, "k.key"),
    program.path("b.sock"),
  ];
  const line = (word: string) =>
    `{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], ${echoService(word)} }`;
  const config = await write(line("old"), `{ unix: ${other} }`);
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 2);
  for (let round = 1; round <= 4; round++) {
    await write(`{ unix: ${other} }`);
    const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    const { code, stdout } = await program.run(["connect", ...where], { input: "" });
    assertEquals([code === 77 || code === 69, stdout], [true, ""]);
    await write(line(String(round)), `{ unix: ${other} }`);
    await server.events("listen", 2 + round);
    const again = await program.run(["connect", ...where], { input: "" });
    assertEquals([again.code, again.stdout], [0, `${round}\n`]);
  }
});
