import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { ConnectCommand } from "../../lib/cli/command_line.ts";
import { connect as run } from "../../lib/cli/connect.ts";
import type { TunnelContext } from "../../lib/cli/context.ts";
import { MAX_CONFIG_BYTES } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import {
  type Answer,
  answerCalls,
  type Call,
  FakeServer,
  WELCOME,
  welcomeLine,
} from "../support/fake_console.ts";
import { isRoot, Program } from "../support/program.ts";

/** The parts of a command in which the tests differ. */
interface ConnectRequest extends Pick<ConnectCommand, "serverUser" | "user"> {
  readonly unix: string | null;
  readonly commands: readonly string[];
}

const PLAIN: ConnectRequest = { unix: null, serverUser: null, user: null, commands: ["who"] };

function connect(
  { unix, commands, ...request }: ConnectRequest,
  context: TestContext,
): Promise<ExitCode> {
  const to = { kind: "unix", path: unix } as const;
  return run({
    ...request,
    kind: "connect",
    to,
    mode: { kind: "console", commands, assumeYes: false },
  }, context);
}

/** The context of a client, with what it has printed. */
class TestContext implements TunnelContext {
  readonly environment: TunnelContext["environment"];
  readonly version = "0";
  readonly self = "";
  readonly config: string | null;
  readonly color = false;
  readonly view = () => ({ columns: null, color: false });
  readonly errSink = Deno.stderr;
  readonly logLevel = null;
  readonly logFormat = null;
  readonly logIsTerminal = true;
  readonly startLookups = () => {
    throw new Error("a console asks in its own thread");
  };
  printed = "";
  errors = "";

  constructor(variables: Record<string, string> = {}, config: string | null = null) {
    this.environment = { uid: effectiveUid(), variables };
    this.config = config;
  }

  out(text: string): void {
    this.printed += text;
  }

  err(text: string): void {
    this.errors += text;
  }
}

function openConsole(answer: (call: Call) => Answer = () => ({ result: [] })) {
  const calls: Call[] = [];
  const opened = FakeServer.open((socket) => {
    socket.write(welcomeLine({ trusted: true }));
    answerCalls(socket, (call) => {
      calls.push(call);
      return answer(call);
    });
  });
  return { opened, calls };
}

function failureOf(request: ConnectRequest, context = new TestContext()): Promise<Failure> {
  return assertRejects(() => connect(request, context), Failure);
}

async function configuration(server: FakeServer, text: string): Promise<string> {
  const path = join(server.directory, "config.yaml");
  await Deno.writeTextFile(path, text, { mode: 0o600 });
  return path;
}

Deno.test("connect -c runs each command in turn and prints its answer", async () => {
  const { opened, calls } = openConsole(() => ({ result: [] }));
  await using server = await opened;
  const context = new TestContext();
  const request = { ...PLAIN, unix: server.path, commands: ["who", "# no", "show users"] };
  assertEquals(await connect(request, context), ExitCode.ok);
  assertEquals(calls.map(({ method }) => method), ["sessions.list", "users.list"]);
  assertEquals(context.printed.split("\n")[1], "NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN");
  assertEquals(context.errors, "");
});

Deno.test("connect finds the socket by flag, then IPCAUTH_PATH, then configuration", async () => {
  const { opened } = openConsole();
  await using server = await opened;
  const elsewhere = join(server.directory, "elsewhere");
  const config = await configuration(
    server,
    `listeners:\n  - { tcp: 127.0.0.1:4569, keys: [{ file: ${elsewhere}/key }] }\n` +
      `  - { unix: ${server.path}, service: console }\n` +
      `  - { unix: ${elsewhere}, service: console }\n`,
  );
  const good = server.path;
  assertEquals(
    await connect({ ...PLAIN, unix: good }, new TestContext({ IPCAUTH_PATH: elsewhere })),
    0,
  );
  assertEquals(await connect(PLAIN, new TestContext({ IPCAUTH_PATH: good }, elsewhere)), 0);
  // The key file that it names does not exist: a client does not need it.
  assertEquals(await connect(PLAIN, new TestContext({}, config)), 0);
  assertEquals(
    await connect(PLAIN, new TestContext({ IPCAUTH_PATH: "", IPCAUTH_CONFIG: config })),
    0,
  );
});

Deno.test("connect reads no configuration when --unix names a path", async () => {
  const { opened } = openConsole();
  await using server = await opened;
  const config = await configuration(server, "nonsense: [");
  assertEquals(await connect({ ...PLAIN, unix: server.path }, new TestContext({}, config)), 0);
  const address = { IPCAUTH_ADDR: "127.0.0.1", IPCAUTH_PORT: "1" };
  const tcp = new TestContext({ ...address, IPCAUTH_KEY_FILE: `${config}.key` }, config);
  // What a bad file says is not known, so a warning stands before what then happens.
  await failureOf(PLAIN, tcp);
  assertStringIncludes(tcp.errors, `warning: the configuration is not used: ${config}:1:`);
  assertEquals(
    (await failureOf(PLAIN, new TestContext({}, `${config}.none`))).exit,
    ExitCode.config,
  );
});

Deno.test("connect warns of a configuration that is no text, and does without it", async () => {
  const { opened } = openConsole();
  await using server = await opened;
  const config = await configuration(server, "");
  for (
    const bytes of [new Uint8Array([0xff, 0xfe]), new Uint8Array(MAX_CONFIG_BYTES + 1).fill(35)]
  ) {
    await Deno.writeFile(config, bytes);
    const context = new TestContext({ XDG_RUNTIME_DIR: "/nonexistent" }, config);
    // It got as far as the default socket, where no server is.
    const { message } = await failureOf(PLAIN, context);
    assertStringIncludes(context.errors, `the configuration is not used: ${config}:1:1: the file`);
    assertStringIncludes(message, "ipc.sock");
  }
});

Deno.test("connect refuses a configuration that others may write", async () => {
  const { opened } = openConsole();
  await using server = await opened;
  const config = await configuration(server, `listeners: [{ unix: ${server.path} }]\n`);
  await Deno.chmod(config, 0o666);
  const { message, exit } = await failureOf(PLAIN, new TestContext({}, config));
  assertEquals(exit, ExitCode.config);
  assertStringIncludes(message, "writable by others");
});

Deno.test("connect refuses an abstract name instead of reading it as a file name", async () => {
  const { message, exit } = await failureOf({ ...PLAIN, unix: "@ipcauth" });
  assertStringIncludes(message, "abstract");
  assertEquals(exit, ExitCode.usage);
});

Deno.test("connect --server-user refuses the name of no user", async () => {
  for (const serverUser of ["no-such-user-here", "0day", "-1", "4294967295"]) {
    const { exit, message } = await failureOf({ ...PLAIN, unix: "/nowhere/s", serverUser });
    assertEquals(exit, ExitCode.usage);
    assertStringIncludes(message, "--server-user");
  }
});

Deno.test("connect --user logs in before it runs a command", async () => {
  const { opened, calls } = openConsole(({ method }) => ({
    result: method === "login" ? { ...WELCOME, user: "alice" } : [],
  }));
  await using server = await opened;
  assertEquals(await connect({ ...PLAIN, unix: server.path, user: "alice" }, new TestContext()), 0);
  assertEquals(calls.map(({ method, params }) => [method, params]), [
    ["login", { user: "alice" }],
    ["sessions.list", {}],
  ]);
});

Deno.test("connect --user runs nothing when the server refuses the user", async () => {
  const { opened, calls } = openConsole(() => ({
    error: { code: -32001, message: "not you\x1b[2J", data: { hint: "ask\nroot" } },
  }));
  await using server = await opened;
  const failure = await failureOf({ ...PLAIN, unix: server.path, user: "alice" });
  assertEquals(failure.message, "Failed to connect to server: not you\\u{1b}[2J");
  assertEquals(failure.hint, "ask\\u{a}root");
  assertEquals(failure.exit, ExitCode.refused);
  assertEquals(calls.length, 1);
});

Deno.test("a malformed answer ends the session and is not shown", async () => {
  const { opened } = openConsole(() => ({ result: [{ name: 1 }] }));
  await using server = await opened;
  const context = new TestContext();
  const request = { ...PLAIN, unix: server.path, commands: ["show users"] };
  assertEquals((await failureOf(request, context)).exit, ExitCode.data);
  assertEquals(context.printed, "");
});

Deno.test({
  name: "connect ignores a default configuration that it may not read (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const config = await program.write(
      "config.yaml",
      "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n",
    );
    await Deno.mkdir(program.path("ipcauth"), { mode: 0o755 });
    await program.write("ipcauth/config.yaml", "nonsense: [", 0o600);
    const socket = program.path("ipcauth/ipc.sock");
    await using _server = await program.serve([`--unix=${socket}`, "--config", config]);
    const env = { XDG_CONFIG_HOME: program.directory, XDG_RUNTIME_DIR: program.directory };
    const connecting = (more: Record<string, string>) =>
      program.run(["connect", "-c", "who"], { uid: 579, env: { ...env, ...more } });
    const { code, stderr } = await connecting({});
    assertEquals([code, stderr], [0, ""]);
    // The same file, named by the environment, must be readable.
    const named = await connecting({ IPCAUTH_CONFIG: program.path("ipcauth/config.yaml") });
    assertEquals(named.code, 78, named.stderr);
  },
});

Deno.test({
  name: "the five failures to get a session, word for word (needs root)",
  ignore: !isRoot,
  fn: async (t) => {
    await using program = await Program.install();
    const path = program.path("ipc.sock");
    const attempt = (to: string) =>
      program.run(["connect", `--unix=${to}`, "-c", "who"], { uid: 578 });
    await t.step("refused", async () => {
      await using _server = await program.serve([`--unix=${path}`]);
      assertEquals(await attempt(path), {
        code: 77,
        stdout: "",
        stderr: `Failed to connect to server: ${path} refuses uid 578\n` +
          "hint: ipcauth users check 578, run by the server's administrator, says why\n",
      });
    });
    await t.step("no socket", async () => {
      const none = program.path("none");
      assertEquals(await attempt(none), {
        code: 69,
        stdout: "",
        stderr: `Failed to connect to server: there is no socket ${none}\n` +
          `hint: ipcauth serve --unix=${none}\n`,
      });
    });
    await t.step("no server listening", async () => {
      const killed = program.path("killed.sock");
      const server = await program.serve([`--unix=${killed}`]);
      await server.stop("SIGKILL");
      assertEquals(await attempt(killed), {
        code: 69,
        stdout: "",
        stderr: `Failed to connect to server: no server is listening on ${killed}\n` +
          `hint: ipcauth serve --unix=${killed}\n`,
      });
    });
    await t.step("not a console", async () => {
      await using server = await FakeServer.open((socket) => socket.end("220 ESMTP\r\n"));
      await Deno.chmod(server.directory, 0o755);
      await Deno.chmod(server.path, 0o666);
      const { code, stderr } = await attempt(server.path);
      assertEquals(code, 65);
      assertEquals(
        stderr.split("\n")[0],
        `Failed to connect to server: ${server.path} is not an ipcauth console: ` +
          "its first line is not a welcome",
      );
    });
    await t.step("closed in mid-session", async () => {
      await using server = await FakeServer.open((socket) => {
        socket.write(welcomeLine());
        answerCalls(socket, () => ({ hangUp: true }));
      });
      await Deno.chmod(server.directory, 0o755);
      await Deno.chmod(server.path, 0o666);
      assertEquals(await attempt(server.path), {
        code: 69,
        stdout: "",
        stderr: "ipcauth: error: The server has closed the session\n",
      });
    });
  },
});
