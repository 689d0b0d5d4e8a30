/** `connect`: its errors and exit codes, and its use at a terminal. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { isRoot, Lines, type Outcome, Program } from "../support/program.ts";

function failed(outcome: Outcome, code: number, text: string): void {
  assertStringIncludes(outcome.stderr, text);
  assertMatch(outcome.stderr, /^Failed to connect to server: /);
  assertEquals(outcome.code, code);
  assertEquals(outcome.stdout, "");
}

/** A server that runs a few lines of Python for each connection `c`. */
async function serverOf(
  program: Program,
  name: string,
  lines: string,
  options: { uid?: number } = {},
) {
  const path = program.path(name);
  const child = program.command([
    "python3",
    "-u",
    "-c",
    `
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); s.listen(8)
print("listening", flush=True)
while True:
    c, _ = s.accept()
    try:
${lines.split("\n").map((line) => `        ${line}`).join("\n")}
    except OSError: pass
`,
    path,
  ], options).spawn();
  const output = new Lines(child.stdout);
  await output.next();
  return {
    path,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await output.cancel();
      await child.stderr.cancel();
      await child.status;
    },
  };
}

const WELCOME = JSON.stringify({
  jsonrpc: "2.0",
  method: "welcome",
  params: {
    server: "ipcauth",
    version: "0",
    user: "me",
    admin: true,
    trusted: true,
    from: "127.0.0.1",
    host: "h",
    session: 1,
  },
});

Deno.test("connect has a message and an exit code for each kind of failure", async () => {
  await using program = await Program.install();
  const connect = (path: string) => program.run(["connect", `--unix=${path}`], { input: "who\n" });
  failed(await connect(program.path("none")), 69, "there is no socket");
  {
    await using server = await serverOf(program, "dead", "pass");
    server.path;
  }
  failed(await connect(program.path("dead")), 69, "no server is listening");
  await using refusing = await serverOf(program, "refusing", "c.close()");
  failed(await connect(refusing.path), 77, "has closed without sending data");
  await using odd = await serverOf(
    program,
    "odd",
    'c.sendall(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n"); c.close()',
  );
  failed(await connect(odd.path), 65, "is not an ipcauth console");
  await using half = await serverOf(program, "half", 'c.sendall(b"{\\"jsonrpc\\":"); c.close()');
  failed(await connect(half.path), 65, "is not an ipcauth console");
  await using dying = await serverOf(
    program,
    "dying",
    `c.sendall(b'''${WELCOME}\\n'''); c.recv(4096); c.close()`,
  );
  const gone = await connect(dying.path);
  assertEquals(gone.code, 69);
  assertEquals(gone.stdout, "");
  assertMatch(
    gone.stderr,
    /^me connected from .*\nipcauth: error: The server has closed the session\n$/,
  );
});

Deno.test("connect waits for a greeting for a limited time", async () => {
  await using program = await Program.install();
  await using silent = await serverOf(
    program,
    "silent",
    "held = globals().setdefault('held', []); held.append(c)",
  );
  failed(await program.run(["connect", `--unix=${silent.path}`]), 65, "it sends nothing");
});

Deno.test("connect escapes control characters that a server sends", async () => {
  await using program = await Program.install();
  const nasty = WELCOME.replace('"h"', '"\\u001b[2Jh"').replace('"me"', '"m\\u202ee"');
  await using server = await serverOf(
    program,
    "nasty",
    `c.sendall(b'''${nasty.replaceAll("\\", "\\\\")}\\n'''); c.recv(4096)
c.sendall(b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"\\\\u001b]0;x\\\\u0007"}}\\n')`,
  );
  const { stdout, stderr } = await program.run(["connect", `--unix=${server.path}`], {
    input: "who\nexit\n",
  });
  assertEquals(/[^\n\x20-\x7e]/.test(stdout + stderr), false);
  assertStringIncludes(stderr, "\\u{1b}[2Jh");
});

Deno.test("connect refuses an answer of the wrong shape", async () => {
  await using program = await Program.install();
  await using server = await serverOf(
    program,
    "liar",
    `c.sendall(b'''${WELCOME}\\n'''); c.recv(4096)
c.sendall(b'{"jsonrpc":"2.0","id":1,"result":[{"name":7}]}\\n')`,
  );
  const { code, stderr } = await program.run([
    "connect",
    `--unix=${server.path}`,
    "-c",
    "show users",
  ]);
  assertEquals(code, 65);
  assertStringIncludes(stderr, "not what this client expects");
});

Deno.test({
  name: "connect refuses a server of another user, unless --server-user names it (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    await Deno.mkdir(program.path("d"));
    await Deno.chmod(program.path("d"), 0o1777);
    await using server = await serverOf(program, "d/s", `c.sendall(b'''${WELCOME}\\n''')`, {
      uid: 578,
    });
    const connect = (uid: number, ...flags: string[]) =>
      program.run(["connect", `--unix=${server.path}`, ...flags], { uid, input: "" });
    failed(await connect(0), 77, "runs as uid 578");
    failed(await connect(579), 77, "runs as uid 578");
    failed(await connect(579, "--server-user", "577"), 77, "runs as uid 578");
    assertEquals((await connect(579, "--server-user", "578")).code, 0);
    assertEquals((await connect(578)).code, 0);
  },
});

Deno.test({
  name: "connect reports a socket whose mode denies it (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const file = await program.write(
      "c.yaml",
      `listeners: [{ unix: ${program.path("s")}, mode: "0600" }]\n`,
    );
    await using _server = await program.serve(["--config", file]);
    failed(
      await program.run(["connect", `--unix=${program.path("s")}`], { uid: 579 }),
      77,
      "permission denied",
    );
  },
});

Deno.test("connect runs each command, and exits with the first error code", async () => {
  await using program = await Program.install();
  const file = await program.write("c.yaml", "users: [{ name: bob, uid: 579 }]\n");
  const flags = [`--unix=${program.path("s")}`];
  await using _server = await program.serve([...flags, "--config", file]);
  const run = (...lines: string[]) =>
    program.run(["connect", ...flags, ...lines.flatMap((line) => ["-c", line])]);
  const mixed = await run(
    "show users",
    "bogus",
    "show running-config aaa authentication users user eve",
    "sh u",
  );
  assertEquals(mixed.code, 64);
  assertEquals(mixed.stdout.split("bob   579").length, 3);
  assertEquals((await run("show running-config aaa authentication users user eve")).code, 65);
  assertEquals((await run("set user bob local_ipc_access maybe")).code, 65);
  const piped = await program.run(["connect", ...flags], {
    input: "# a comment\n\nshow users\nexit\nbogus\n",
  });
  assertEquals([piped.code, piped.stdout.split(" ")[0]], [0, "NAME"]);
  assertMatch(piped.stderr, /^\S+ connected from 127\.0\.0\.1 using console on \S+\n$/);
});

Deno.test("connect takes the socket of the environment, then of the configuration", async () => {
  await using program = await Program.install();
  const socket = program.path("s");
  const file = await program.write("c.yaml", `listeners: [{ unix: ${socket} }]\n`);
  await using _server = await program.serve(["--config", file]);
  const code = async (env: Record<string, string>) =>
    (await program.run(["connect", "-c", "who"], { env })).code;
  assertEquals(await code({ IPCAUTH_PATH: socket }), 0);
  assertEquals(await code({ IPCAUTH_CONFIG: file }), 0);
  assertEquals(await code({ IPCAUTH_CONFIG: file, IPCAUTH_PATH: program.path("none") }), 69);
});

/** Types at a pseudo-terminal: each piece once the screen shows the text it waits for. */
const TERMINAL = fromFileUrl(new URL("../support/terminal.py", import.meta.url));

Deno.test({
  name: "connect at a terminal prompts, completes, and obeys Ctrl-C and Ctrl-D (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const file = await program.write(
      "c.yaml",
      "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n",
    );
    const env = { IPCAUTH_PATH: program.path("s"), TERM: "xterm" };
    await using _server = await program.serve(["--unix", "--config", file], { env });
    const type = (steps: [string, string][], ...argv: string[]) => {
      const script = steps.flatMap(([text, keys]) => [["expect", text], ["send", keys]]);
      return program.execute(["python3", TERMINAL, JSON.stringify(script), ...argv], { env });
    };
    const prompt = "bob@ipcauth# ";
    const bob = await type(
      [
        [prompt, "nonsense"],
        ["nonsense", "\x03"],
        [prompt, "sh"],
        ["sh", "\t"],
        ["ow ", "use"],
        ["use", "\t"],
        ["rs ", "\r"],
        ["579", "\x04"],
      ],
      "ipcauth",
      "run-as",
      "579",
      "--",
      "ipcauth",
      "connect",
    );
    assertEquals(bob.code, 0);
    assertStringIncludes(bob.stdout, "bob connected from 127.0.0.1 using console on ");
    assertStringIncludes(bob.stdout, "LOCAL_IPC_ACCESS");
    assertEquals(bob.stdout.includes("does not fit"), false);
    const root = await type([["root@ipcauth# ", "exit\r"]], "ipcauth", "connect");
    assertEquals(root.code, 0);
  },
});
