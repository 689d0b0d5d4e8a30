import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type CommandMode, KEPT_PERMISSIONS, PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import manifest from "../../deno.json" with { type: "json" };
import type { ProbedThread } from "../support/permissions.ts";
import { isRoot, Program } from "../support/program.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The permission sets of `deno.json`: for each permission, all of it (`true`) or a list. */
const SETS: Readonly<Record<string, Readonly<Record<string, true | readonly string[]>>>> = manifest
  .permissions as Record<string, Record<string, true | string[]>>;

/** The flags of `deno run` that grant what a set grants. */
function flagsOf(set: string): string[] {
  return Object.entries(SETS[set]!).map(([name, value]) =>
    value === true ? `--allow-${name}` : `--allow-${name}=${value.join(",")}`
  );
}

/** The engine of `lib/text/pattern.ts`, which grants nothing. */
const LINEAR_PATTERNS = "--v8-flags=--enable-experimental-regexp-engine";

Deno.test("the task that runs the source grants exactly the permissions of the table", () => {
  assertEquals(
    manifest.tasks.ipcauth.command,
    `deno run --quiet ${LINEAR_PATTERNS} -P=ipcauth --no-prompt main.ts`,
  );
  assertEquals([...flagsOf("ipcauth"), "--no-prompt"], PERMISSION_FLAGS);
});

Deno.test("every task that runs a program names a permission set, and grants nothing else", () => {
  for (const [name, { command }] of Object.entries(manifest.tasks)) {
    for (const part of command.split(" && ").filter((text) => /^deno (run|test) /.test(text))) {
      // Without `--quiet`, `deno run` warns that permission sets are experimental.
      const set = /^deno (?:run|test) --quiet (?:--parallel )?-P=(\w+)(?: |$)/
        .exec(part.replace(`${LINEAR_PATTERNS} `, ""))?.[1];
      assert(set !== undefined && set in SETS, `${name}: ${part}`);
      assert(!/--allow|\s-[A-Z](?!=)/.test(part), `${name}: ${part}`);
    }
  }
});

Deno.test("no permission set grants everything, and every set is used", () => {
  const commands = Object.values(manifest.tasks).map(({ command }) => command).join("\n");
  for (const [name, set] of Object.entries(SETS)) {
    assert(!("all" in set), name);
    assert(new RegExp(`-P=${name}\\b`).test(commands), name);
  }
  // Only tests, demos, builds and benchmarks start other programs; only the tests and the benchmark
  // use the network.
  const having = (right: string, value: unknown) =>
    Object.keys(SETS).filter((name) => SETS[name]![right] === value);
  assertEquals(having("run", true), ["test", "demo", "fleet", "build", "bench"]);
  assertEquals(having("net", true), ["test", "bench"]);
});

Deno.test("a permission set is named without a word of the runtime's own", async () => {
  const [program, ...args] = manifest.tasks.ipcauth.command.split(" ");
  assertEquals(program, "deno");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, "--version"],
    cwd: ROOT,
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  assertMatch(decoder.decode(stdout), /^ipcauth /);
});

/**
 * Arguments of `deno`: the program from source, with the permissions of every build, and a probe
 * that tries each.
 */
function probed(...args: readonly string[]): string[] {
  return [
    ...["run", "--quiet", ...PERMISSION_FLAGS],
    ...[`--preload=${ROOT}tests/support/permission_probe.ts`, `${ROOT}main.ts`, ...args],
  ];
}

/** The report of the probe for a thread: for each permission, whether it could be used. */
function permissionsOf(thread: ProbedThread, stderr: string): Record<string, boolean> {
  const line = stderr.split("\n").find((text) => text.startsWith(`${thread}: `));
  if (line === undefined) throw new Error(`the probe did not report on the ${thread}: ${stderr}`);
  return JSON.parse(line.slice(line.indexOf("{")));
}

/** The report that is expected of a task: what it keeps, and nothing else. */
function expectedPermissions(task: CommandMode): Record<string, boolean> {
  const kept: readonly string[] = KEPT_PERMISSIONS[task];
  return {
    read: kept.includes("read"),
    write: kept.includes("write"),
    ffi: kept.includes("ffi"),
    env: false,
    "other env": false,
    net: false,
    run: false,
    sys: false,
  };
}

/**
 * Runs the program with the probe to its end.
 *
 * @param until Sends `SIGTERM` once standard error matches: a server does not end by itself.
 */
async function probe(args: readonly string[], until?: RegExp) {
  const child = new Deno.Command(Deno.execPath(), {
    args: probed(...args),
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  const stdout = new Response(child.stdout).text();
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += chunk;
    if (until?.test(stderr)) {
      until = undefined;
      child.kill("SIGTERM");
    }
  }
  const { code } = await child.status;
  return { code, stdout: await stdout, stderr };
}

Deno.test("each command revokes permissions it does not need, and still works", async (test) => {
  const directory = await Deno.makeTempDir();
  const config = `${directory}/config.yaml`;
  const key = `${directory}/a.key`;
  const socket = `${directory}/a.sock`;
  await Deno.writeTextFile(config, "users: [{ name: bob, uid: 579 }]\n", { mode: 0o644 });
  const runs: [CommandMode, string[], code: number, stdout: RegExp, until?: RegExp][] = [
    ["version", ["--version"], 0, /^ipcauth /],
    ["help", ["help", "serve"], 0, /^Usage: ipcauth serve/],
    ["completions", ["completions", "bash"], 0, /complete/],
    // After `execve(2)` the probe would not run, so the program to execute does not exist.
    ["run-as", ["run-as", String(Deno.uid()), "--", "/nowhere/at/all"], 127, /^$/],
    ["gen-key", ["gen-key", key], 0, /./],
    ["gen-key --show", ["gen-key", "--show", key], 0, /[0-9a-f]{16}/],
    ["users", ["users", "list", "--config", config], 0, /bob/],
    ["users edit", ["users", "allow", "bob", "--config", config], 0, /bob/],
    ["groups", ["groups", "list", "--config", config], 0, /NAME/],
    ["groups edit", ["groups", "add", "x", "--gid=7", "--config", config], 0, /added/],
    ["keys", ["keys", "--config", config], 0, /ID +USER/],
    ["keys edit", ["keys", "revoke", "0123456789abcdef", "--config", config], 65, /^$/],
    ["config", ["config", "check", config], 0, /no problem/],
    ["serve --check", ["serve", "--check", "--config", config], 0, /would listen/],
    ["status", ["status", `--unix=${directory}/absent.sock`], 69, /^$/],
    ["connect", ["connect", `--unix=${directory}/absent.sock`], 69, /^$/],
    [
      "connect --listen",
      [
        ...["connect", "--tcp=127.0.0.1:1", `--key=${key}`, "--listen", `unix:${socket}`],
        ...["--config", config],
      ],
      0,
      /^$/,
      /listening on/,
    ],
    ["serve", ["serve", `--unix=${socket}`, "--config", config], 0, /^$/, /"listen"/],
  ];
  try {
    assertEquals(runs.map(([task]) => task).sort(), Object.keys(KEPT_PERMISSIONS).sort());
    for (const [task, args, code, stdout, until] of runs) {
      await test.step(task, async () => {
        const outcome = await probe(args, until);
        assertEquals(outcome.code, code, outcome.stderr);
        assertMatch(outcome.stdout, stdout);
        assertEquals(permissionsOf("main thread", outcome.stderr), expectedPermissions(task));
        // The Worker of the data plane, or of the tunnel.
        if (until) assertEquals(permissionsOf("Worker", outcome.stderr), expectedPermissions(task));
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "connect works with no more than the permissions it keeps (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const path = program.path("a.sock");
    await using _server = await program.serve([`--unix=${path}`]);
    const { code, stdout, stderr } = await probe(["connect", `--unix=${path}`, "-c", "who"]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /console/);
    assertEquals(permissionsOf("main thread", stderr), expectedPermissions("connect"));
  },
});

Deno.test("run-as executes the program with no more than the permissions it keeps", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: probed("run-as", String(Deno.uid()), "--", "sh", "-c", "echo executed; exit 7"),
    cwd: ROOT,
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stdout), text.decode(stderr)], [7, "executed\n", ""]);
});

Deno.test("at a terminal, there is no prompt for a revoked permission", async () => {
  const terminal = await Deno.readTextFile(`${ROOT}tests/support/terminal.py`);
  const { code, stdout } = await new Deno.Command("python3", {
    // A prompt would wait for an answer, and none is given.
    args: ["-c", terminal, "[]", Deno.execPath(), ...probed("--version")],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const screen = new TextDecoder().decode(stdout).replaceAll("\r", "");
  assertEquals(permissionsOf("main thread", screen), expectedPermissions("version"));
  assertEquals(code, 0);
  assert(!/requests|\[y\/n/.test(screen), screen);
});
