/** A session that the server ends: because access was revoked, or because the server has gone. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, type Outcome, Program } from "../support/program.ts";

const TERMINAL = await Deno.readTextFile(new URL("../support/terminal.py", import.meta.url));

const REVOKED = "ipcauth: error: The session has ended: your access was revoked\n";

function usersOf(access: boolean): string {
  return `users:\n  - { name: bob, uid: 579, local_ipc_access: ${access} }\n`;
}

/** Starts a server with bob, whose access is revoked once his client has been allowed. */
async function serve(program: Program) {
  const socket = program.path("ipc.sock");
  const config = await program.write("config.yaml", usersOf(true));
  const start = () => program.serve([`--unix=${socket}`, "--config", config]);
  return { server: await start(), start, socket, config };
}

/** Starts a client that waits for its session to end. */
function client(program: Program, argv: readonly string[], uid?: number) {
  const child = program.command(["ipcauth", "connect", ...argv], {
    ...uid === undefined ? {} : { uid },
    // A pipe that stays open.
    input: "",
  }).spawn();
  return {
    async end() {
      const { code, stderr } = await child.output();
      await child.stdin.close().catch(() => {});
      return { code, stderr: new TextDecoder().decode(stderr) };
    },
  };
}

Deno.test("a client whose access is revoked says so, and ends with 77 (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const { server, socket } = await serve(program);
  await using _server = server;
  for (const argv of [["-c", "monitor"], []]) {
    await program.write("config.yaml", usersOf(true));
    const child = client(program, [`--unix=${socket}`, ...argv], 579);
    await server.events("allow", argv.length === 0 ? 2 : 1);
    await program.write("config.yaml", usersOf(false));
    const { code, stderr } = await child.end();
    assertEquals(code, 77);
    assertStringIncludes(stderr, REVOKED);
  }
  // Each client has asked once for another session.
  assertEquals((await server.events("deny", 2)).length, 2);
});

Deno.test("a client whose server goes says so, and ends with 69", async () => {
  await using program = await Program.install();
  const { server, socket } = await serve(program);
  const child = client(program, [`--unix=${socket}`, "-c", "monitor"]);
  await server.event("allow");
  await server[Symbol.asyncDispose]();
  const { code, stderr } = await child.end();
  assertEquals(code, 69);
  assertStringIncludes(
    stderr,
    "The session has ended: the server has gone",
  );
});

Deno.test("a client whose key is taken away says so, over TCP, too", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "k.key");
  const address = `127.0.0.1:${freePort()}`;
  const config = (keys: string) =>
    `listeners:\n  - { tcp: "${address}", service: console, keys: [${keys}] }\n`;
  const file = await program.write("config.yaml", config(`{ file: ${key} }`));
  const other = await writeKey(program, "other.key");
  await using server = await program.serve(["--config", file]);
  const child = client(program, [`--tcp=${address}`, `--key=${key}`, "-c", "monitor"]);
  await server.event("allow");
  await program.write("config.yaml", config(`{ file: ${other} }`));
  const { code, stderr } = await child.end();
  assertEquals([code, stderr.split("\n")[0] + "\n"], [77, REVOKED]);
});

Deno.test("a server that is killed is one that has gone, over TCP, too (needs python3)", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "k.key");
  const address = `127.0.0.1:${freePort()}`;
  const config = `listeners: [{ tcp: "${address}", service: console, keys: [{ file: ${key} }] }]\n`;
  const file = await program.write("config.yaml", config);
  const start = () => program.serve(["--config", file]);
  const to = [`--tcp=${address}`, `--key=${key}`];
  const first = await start();
  await using _first = first;
  const script = client(program, [...to, "-c", "monitor"]);
  await first.event("allow");
  const ready = program.path("ready");
  const prompt = atPrompt(program, to, [
    ["expect", "@ipcauth# "],
    ["send", "config\raaa authentication users user eve uid 7\r"],
    ["expect", "uid 7"],
    ["expect", "(config)# "],
    ["send", "show configura"],
    ["expect", "show configura"],
    ["run", `kill -KILL ${first.pid}`],
    ["expect", "the server has gone. Connect again? (y/n) "],
    ["run", `touch ${ready}; while [ -e ${ready} ]; do sleep 0.05; done`],
    ["send", "y\r"],
    ["expect", "show configura"],
    ["send", "tion\r"],
    ["expect", "+ uid 7"],
    ["send", "revert\rend\rexit\r"],
  ]);
  const { code, stderr } = await script.end();
  assertEquals(code, 69, stderr);
  assertStringIncludes(stderr, "The session has ended: the server has gone");
  await reached(ready, prompt);
  await using _next = await start();
  await Deno.remove(ready);
  const done = await prompt;
  assertEquals(done.code, 0, done.stdout + done.stderr);
});

/** Runs a script at the prompt of bob, or of root. */
async function atPrompt(
  program: Program,
  to: string | readonly string[],
  script: unknown[][],
  uid?: number,
) {
  const user = uid === undefined
    ? []
    : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return await program.execute([
    ...["python3", "-c", TERMINAL, JSON.stringify(script), ...user],
    ...["ipcauth", "connect", ...typeof to === "string" ? [`--unix=${to}`] : to],
  ]);
}

Deno.test("the prompt connects again with what was typed (needs python3)", async () => {
  await using program = await Program.install();
  const { server, start, socket } = await serve(program);
  await using _server = server;
  const ready = program.path("ready");
  const script = [
    ["expect", "@ipcauth# "],
    ["send", "show list"],
    ["expect", "show list"],
    ["run", `kill -KILL ${server.pid}`],
    ["expect", "the server has gone. Connect again? (y/n) "],
    // No server yet, and no answer: it asks again.
    ["send", "y\r"],
    ["expect", "Connect again? (y/n) "],
    ["send", "maybe\r"],
    ["expect", "Connect again? (y/n) "],
    ["run", `touch ${ready}; while [ -e ${ready} ]; do sleep 0.05; done`],
    ["send", "y\r"],
    ["expect", "using console on"],
    ["expect", "show list"],
    ["send", "eners\r"],
    ["expect", "listening"],
    ["send", "exit\r"],
  ];
  const done = atPrompt(program, socket, script);
  // No server is there before.
  await reached(ready, done);
  await using _next = await start();
  await Deno.remove(ready);
  const { code, stdout, stderr } = await done;
  assertEquals(code, 0, stdout + stderr);
});

Deno.test(
  "the prompt ends with 69 where it is told so, and with 77 where it must (needs root)",
  {
    ignore: !isRoot,
  },
  async () => {
    await using program = await Program.install();
    const { server, socket, config } = await serve(program);
    await using _server = server;
    const revoked = await atPrompt(program, socket, [
      ["expect", "bob@ipcauth# "],
      ["run", `sed -i s/true/false/ ${config}`],
      ["expect", "your access was revoked"],
    ], 579);
    assertEquals(revoked.code, 77, revoked.stdout);
    for (const answer of ["n\r", "\x04"]) {
      const closed = await atPrompt(program, socket, [
        ["expect", "root@ipcauth# "],
        ["send", "who"],
        [
          "run",
          `ipcauth connect --unix=${socket} -c 'show sessions | json' | ` +
          `python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])' | ` +
          `xargs -I{} ipcauth connect --unix=${socket} -c 'clear session {}'`,
        ],
        ["expect", "The server has closed the session. Connect again? (y/n) "],
        ["send", answer],
      ]);
      assertEquals(closed.code, 69, closed.stdout);
    }
    await server[Symbol.asyncDispose]();
  },
);

/** Waits until a script has made a file. Throws where it ends before. */
async function reached(path: string, script: Promise<Outcome>): Promise<void> {
  const ended = script.then(({ stdout, stderr }): never => {
    throw new Error(`the script has ended before:\n${stdout}${stderr}`);
  });
  await Promise.race([fileExists(path), ended]);
  // Its end is awaited later, and is no error then.
  ended.catch(() => {});
}

/** Waits for a file. */
async function fileExists(path: string): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  const events = Deno.watchFs(directory, { recursive: false });
  try {
    const exists = () => Deno.stat(path).then(() => true, () => false);
    if (await exists()) return;
    for await (const _ of events) if (await exists()) return;
  } finally {
    try {
      events.close();
    } catch {
      // The loop has closed it.
    }
  }
}
