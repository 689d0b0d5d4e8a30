/** The launcher: the shell lines of a build, which start the runtime and hide variables from it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RUNTIME_VARIABLES } from "../../tools/build/runtime_variables.ts";
import { SETTINGS } from "../../lib/config/launcher_environment.ts";
import { VARIABLES } from "../../lib/config/default_paths.ts";
import { receiveAll } from "../support/connections.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const needsRoot = { ignore: !isRoot };
const BOB = "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n";

/** A value with characters that are special to a shell. */
const ODD = `a "b" 'c' $HOME $(exit 1) \`id\` \\ ü =\nIPCAUTH_KEEP_HOME=/`;
/** `Deno.Command` does not pass this variable on. */
const TESTABLE = RUNTIME_VARIABLES.filter((name) => name !== "DENO_EXTRA_STDIO_FDS");
/** Each variable that the runtime obeys; every fifth one is empty, the others have an odd value. */
const ALL = Object.fromEntries(
  TESTABLE.map((name, index) => [name, index % 5 === 0 ? "" : `${name} ${ODD}`]),
);

/** The variables that `env -0` has printed. */
function variablesOf(text: string): Record<string, string> {
  const pairs = text.split("\0").filter(Boolean).map((variable) => {
    const equals = variable.indexOf("=");
    return [variable.slice(0, equals), variable.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

/** The variables that a launcher hides, out of some. */
function hiddenOf(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter(([name]) =>
      RUNTIME_VARIABLES.includes(name) || name.startsWith("IPCAUTH_KEEP")
    ),
  );
}

Deno.test("the table of variables has valid names, each once, and all that a launcher sets", () => {
  assertEquals(RUNTIME_VARIABLES.filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)), []);
  assertEquals(new Set(RUNTIME_VARIABLES).size, RUNTIME_VARIABLES.length);
  assertEquals(Object.keys(SETTINGS).filter((name) => !RUNTIME_VARIABLES.includes(name)), []);
});

Deno.test("of the program's own variables only HOME is hidden", () => {
  assertEquals(VARIABLES.filter((name) => RUNTIME_VARIABLES.includes(name)), ["HOME"]);
});

Deno.test(
  "run-as works in a working directory that only root may enter (needs root)",
  needsRoot,
  async () => {
    await using program = await Program.install();
    const cwd = program.path("closed");
    await Deno.mkdir(cwd, { mode: 0o700 });
    const config = await program.write("c.yaml", BOB);
    const env = { IPCAUTH_PATH: program.path("s"), IPCAUTH_CONFIG: config };
    await using _server = await program.serve(["--unix"], { env });
    const line = ["run-as", "579", "--", "ipcauth", "connect"];
    const { code, stdout, stderr } = await program.run(line, { env, cwd, input: "" });
    assertEquals([code, stdout], [0, ""]);
    assertMatch(stderr, /^bob connected from 127\.0\.0\.1 using console on /);
  },
);

Deno.test(
  'a working directory named "x (deleted)" is not taken for a removed one (needs root)',
  needsRoot,
  async () => {
    await using program = await Program.install();
    const cwd = program.path("x (deleted)");
    await Deno.mkdir(cwd, { mode: 0o700 });
    assertEquals((await program.run(["--version"], { uid: 579, cwd })).code, 0);
  },
);

/** Runs a program in a pseudo-terminal. */
const TERMINAL = fromFileUrl(new URL("../support/terminal.py", import.meta.url));

Deno.test("no line of the runtime appears on a terminal, in a home or without one", async () => {
  await using program = await Program.install();
  const config = await program.write("c.yaml", BOB);
  const socket = program.path("s");
  await using _server = await program.serve(["--unix", "--config", config], {
    env: { IPCAUTH_PATH: socket },
  });
  const key = program.path("k.key");
  assertEquals((await program.run(["gen-key", key])).code, 0);
  const own = String(Deno.uid());
  const lines: [expected: RegExp, ...argv: string[]][] = [
    [/^ipcauth \S+( \(\S+\))?\r\n$/, "--version"],
    [/^ipcauth: an authenticated front door/, "help"],
    [/^# bash completion|^_ipcauth/m, "completions", "bash"],
    [/^NAME .*\r\nbob .*\r\n$/, "users", "list", "--config", config],
    [/^\S+ uid 579 \(bob\) would be let in: user\r\n/, "users", "check", "579", "--config", config],
    [/^key id +[0-9a-f]{16}\r\n/, "gen-key", "--show", key],
    [/^$/, "run-as", own, "--", "true"],
    // A table, or a line for each cell where it is too wide.
    [/^ *(\*\r?\n)?SESSION +(USER|\d)/m, "connect", `--unix=${socket}`, "-c", "who"],
    [/^ipcauth: error: .*\r\nhint: .*\r\n$/, "nonsense"],
    [/^Failed to connect to server: .*\r\n/, "connect", `--unix=${program.path("none")}`],
  ];
  const home = program.path("home");
  await Deno.mkdir(home);
  for (const directory of [home, program.path("no-home"), ""]) {
    for (const [expected, ...argv] of lines) {
      const words = ["python3", TERMINAL, "[]", "ipcauth", ...argv];
      const { stdout } = await program.execute(words, { env: { HOME: directory, TERM: "xterm" } });
      assertMatch(stdout, expected, argv.join(" "));
      assertEquals(/cache|deno|npm/i.test(stdout.replaceAll(program.directory, "")), false, stdout);
    }
  }
});

Deno.test("variables of the caller do not affect the runtime", async () => {
  await using program = await Program.install();
  const madePath = (name: string) => program.path("made", name);
  await Deno.mkdir(madePath("."), { recursive: true });
  await program.write("evil.cjs", `require("fs").writeFileSync("${madePath("evil")}", "");\n`);
  const hostile = {
    ...Object.fromEntries(RUNTIME_VARIABLES.map((name) => [name, madePath(name)])),
    NODE_OPTIONS: `--require ${program.path("evil.cjs")}`,
    NODE_CHANNEL_FD: "1",
    DENO_DIR: "/nowhere/at/all",
    DENO_CONNECTED: "1",
    DENO_LOG: "trace",
    OTEL_DENO: "neither",
    LANG: "x".repeat(40),
  };
  const { stdout: version } = await program.run(["--version"]);
  assertEquals(await program.run(["--version"], { env: hostile }), {
    code: 0,
    stdout: version,
    stderr: "",
  });
  await using server = await program.serve([`--unix=${program.path("s")}`], { env: hostile });
  assertEquals(await server.stop(), 0);
  assertEquals([server.text, [...Deno.readDirSync(madePath("."))]], ["", []]);
});

Deno.test("no traces are sent to a collector that the caller names", async () => {
  await using program = await Program.install();
  const collector = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${collector.addr.port}`;
  const env = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: `http://${address}` };
  assertEquals((await program.run(["--version"], { env })).code, 0);
  // The first connection is that of the test.
  const own = await Deno.connect({ hostname: "127.0.0.1", port: collector.addr.port });
  const first = await collector.accept();
  assertEquals(first.remoteAddr, own.localAddr);
  for (const one of [own, first, collector]) one.close();
});

Deno.test("an .npmrc of the caller that is broken or unreadable is ignored", async () => {
  await using program = await Program.install();
  const home = program.path("home");
  await Deno.mkdir(join(home, ".npmrc"), { recursive: true });
  assertEquals((await program.run(["--version"], { env: { HOME: home } })).code, 0);
  await Deno.remove(join(home, ".npmrc"));
  await Deno.writeTextFile(join(home, ".npmrc"), "registry=not a url\n");
  assertEquals((await program.run(["--version"], { env: { HOME: home } })).code, 0);
});

Deno.test(
  "the configuration of the caller is found below HOME (needs root)",
  needsRoot,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const home = program.path("home");
    const directory = join(home, ".config", "ipcauth");
    await Deno.mkdir(directory, { recursive: true });
    await program.write("config.yaml", BOB);
    await Deno.rename(program.path("config.yaml"), join(directory, "config.yaml"));
    assertEquals((await program.execute(["chown", "-R", "579", home])).code, 0);
    const users = async (env: Record<string, string>) =>
      (await program.run(["users", "list"], { uid: 579, env: { IPCAUTH_CONFIG: "", ...env } }))
        .stdout;
    assertMatch(await users({ HOME: home }), /bob/);
    assertEquals(/bob/.test(await users({})), false);
  },
);

Deno.test("a HOME that is no UTF-8 is reported by the name that the caller knows", async () => {
  await using program = await Program.install();
  const line =
    `HOME=$(printf 'a\\377'); export HOME; exec env -u IPCAUTH_CONFIG ipcauth users list`;
  const { code, stdout, stderr } = await program.execute(["sh", "-c", line]);
  assertEquals([code, stdout], [64, ""]);
  assertEquals(
    stderr,
    "ipcauth: error: The environment variable HOME is not UTF-8\n" +
      "hint: unset HOME, or use a name in UTF-8\n",
  );
});

Deno.test(
  "run-as passes on variables that the runtime obeys, unchanged (needs root)",
  needsRoot,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const env = async (given: Record<string, string>) => {
      const outcome = await program.run(["run-as", "579", "--", "env", "-0"], { env: given });
      assertEquals([outcome.code, outcome.stderr], [0, ""]);
      return hiddenOf(variablesOf(outcome.stdout));
    };
    assertEquals(await env(ALL), { ...ALL, HOME: "/" });
    assertEquals(await env({ HOME: "/root" }), { LANG: "C.UTF-8", HOME: "/" });
  },
);

Deno.test(
  "run-as restores no variable that only has the name of a hidden one (needs root)",
  needsRoot,
  async () => {
    await using program = await Program.install();
    const env = {
      IPCAUTH_KEEP: "LD_DEBUG",
      IPCAUTH_KEEP_LD_DEBUG: "all",
      IPCAUTH_KEEP_LC_ALL: "a",
    };
    const { stdout } = await program.run(["run-as", "579", "--", "env", "-0"], { env });
    const found = variablesOf(stdout);
    assertEquals([found.LD_DEBUG, found.LC_ALL], [undefined, undefined]);
  },
);

Deno.test("run-as passes on values that are not UTF-8 (needs root)", needsRoot, async () => {
  await using program = await Program.install();
  const line = `export NODE_OPTIONS="$(printf '\\201\\210\\377\\001')" && ipcauth run-as 579 -- ` +
    `sh -c 'printf %s "$NODE_OPTIONS" | od -An -tx1'`;
  const { stdout } = await program.execute(["sh", "-c", line]);
  assertEquals(stdout.trim(), "81 88 ff 01");
});

Deno.test("run-as leaves PATH alone where there is no node (needs root)", needsRoot, async () => {
  await using program = await Program.install({ privateSystem: true });
  const home = program.path("home");
  await Deno.mkdir(home);
  const tools = program.path("tools");
  await Deno.mkdir(tools);
  await Deno.symlink("/usr/bin/env", join(tools, "env"));
  const PATH = `${program.bin}:${tools}`;
  const argv = [join(program.bin, "ipcauth"), "run-as", "579", "--", "env", "-0"];
  const { stdout } = await program.execute(["env", `PATH=${PATH}`, ...argv], {
    env: { HOME: home },
  });
  assertEquals(Object.keys(variablesOf(stdout)).sort(), [
    ...["HOME", "IPCAUTH_CONFIG", "LANG", "PATH", "PWD"],
  ]);
  assertEquals(variablesOf(stdout).PATH, PATH);
});

Deno.test("an exec service passes on variables that the runtime obeys, unchanged", async () => {
  await using program = await Program.install();
  const path = program.path("s");
  const exec = ["--exec", "--", "/usr/bin/env", "-0"];
  await using _server = await program.serve([`--unix=${path}`, ...exec], { env: ALL });
  const { stdout } = await program.run(["connect", `--unix=${path}`, "--pipe"]);
  assertEquals(hiddenOf(variablesOf(stdout)), ALL);
});

Deno.test("a removed working directory is reported with the exit code of the command", async () => {
  await using program = await Program.install();
  const gone = program.path("gone");
  const statusOf = async (args: string) => {
    await Deno.mkdir(gone);
    const line = `cd ${gone} && rmdir ${gone} && exec ipcauth ${args}`;
    const { code, stdout, stderr } = await program.execute(["sh", "-c", line]);
    assertEquals(stdout, "");
    assertStringIncludes(stderr, "ipcauth: error: The current directory is gone\nhint: cd /\n");
    return code;
  };
  for (const before of ["--log-level info", "--color=never --config run-as", "--log-format text"]) {
    assertEquals([await statusOf(`${before} run-as 5 -- true`), before], [125, before]);
  }
  for (const args of ["", "--config", "--config run-as", "serve run-as"]) {
    assertEquals([await statusOf(args), args], [71, args]);
  }
});

Deno.test("too few descriptors are reported with the exit code of the command", async () => {
  await using program = await Program.install();
  for (
    const [command, status] of [["--version", 71], ["serve --unix=x.sock", 71], [
      "run-as 5 -- true",
      125,
    ]] as const
  ) {
    for (const count of [16, 24, 32, 63]) {
      const line = `ulimit -n ${count}; exec ipcauth ${command}`;
      const { code, stdout, stderr } = await program.execute(["sh", "-c", line]);
      assertEquals([code, stdout], [status, ""]);
      assertEquals(
        stderr,
        `ipcauth: error: A process may open too few files here: ${count}, and 64 are needed\n` +
          "hint: ulimit -n 1024\n",
      );
    }
  }
  const many = "ulimit -n 90; exec ipcauth serve --unix=x.sock --workers 4";
  const { code, stderr } = await program.execute(["sh", "-c", many]);
  assertEquals([code, stderr.split("\n").slice(0, 2)], [71, [
    "ipcauth: error: A process may open too few files here: 90, and 4 workers need 100",
    "hint: ulimit -n 1024",
  ]]);
  // The runtime raises a soft limit to the hard one.
  const soft = await program.execute(["sh", "-c", "ulimit -Sn 24; exec ipcauth --version"]);
  assertEquals([soft.code, soft.stderr], [0, ""]);
});

Deno.test("limits that are too low are reported with the exit code of the command", async () => {
  await using program = await Program.install();
  for (const [command, status] of [["users list", 71], ["run-as 5 -- true", 125]] as const) {
    for (
      const [limit, error] of [
        [
          "-Ss 2047",
          "The stack of a process is too small here: 2047 KiB, and 2048 are needed\n" +
          "hint: ulimit -s 8192\n",
        ],
        [
          "-Sv 69206015",
          "A process may have too few addresses here: 69206015 KiB, and 69206016 are needed\n" +
          "hint: ulimit -v unlimited\n",
        ],
      ] as const
    ) {
      const line = `ulimit ${limit}; exec ipcauth ${command}`;
      const { code, stdout, stderr } = await program.execute(["sh", "-c", line]);
      assertEquals([code, stdout, stderr], [status, "", `ipcauth: error: ${error}`]);
    }
  }
  const enough = await program.execute([
    ...["sh", "-c", "ulimit -Ss 2048; ulimit -Sv 69206016; exec ipcauth --version"],
  ]);
  assertEquals([enough.code, enough.stderr], [0, ""]);
});

Deno.test("a limit of processes that is too low is reported by every command (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  // A user without other processes; those of root have no limit.
  const user = 60_000 + Deno.pid % 5_000;
  const run = (uid: number, limit: number, command: string) =>
    program.execute([
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
      ...["prlimit", `--nproc=${limit}`, "ipcauth", ...command.split(" ")],
    ]);
  const error = "ipcauth: error: Too few threads may be started here, and 8 are needed\n" +
    "hint: ulimit -u unlimited, or a higher limit of processes for the container\n";
  const commands = [
    ...["--version", "help", "users list", "groups list", "keys list", "config show", "gen-key"],
    ...["connect -c who", "connect --listen unix:x.sock", "serve --unix=x.sock", "status"],
    ...["completions bash", "--color never run-as 5 -- true"],
  ];
  for (const command of commands) {
    const { code, stdout, stderr } = await run(user, 1 + commands.indexOf(command) % 8, command);
    const status = command.includes("run-as") ? 125 : 71;
    assertEquals([command, code, stdout, stderr], [command, status, "", error]);
  }
  for (const [uid, limit] of [[user, 9], [0, 3]] as const) {
    const { code, stderr } = await run(uid, limit, "--version");
    assertEquals([code, stderr], [0, ""]);
  }
});

Deno.test("64 descriptors are enough to serve a connection", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const line = `ulimit -n 64; exec ipcauth serve --unix=${path} --exec -- /bin/echo hi`;
  await using server = new RunningServer(program.command(["sh", "-c", line]).spawn());
  await server.event("listen");
  assertEquals(await receiveAll(path), "hi\n");
  assertEquals(await server.stop(), 0);
});

Deno.test("a machine without /proc is reported with the exit code of the command (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  // The executable needs none for most commands (docs/executable.md).
  for (
    const [command, status] of [
      ["serve --unix=x.sock", 71],
      ["--color never run-as 5 -- true", 125],
    ] as const
  ) {
    const line = `mount -t tmpfs tmpfs /proc && exec ipcauth ${command}`;
    const { code, stderr } = await program.execute(["unshare", "-m", "sh", "-c", line]);
    assertEquals(code, status);
    assertEquals(
      stderr,
      "ipcauth: error: There is no /proc, and the program cannot run without it\n" +
        "hint: mount -t proc proc /proc\n",
    );
  }
});
