import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type CommandMode, KEPT_PERMISSIONS, PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import manifest from "../../deno.json" with { type: "json" };
import { isRoot, Program } from "../support/program.ts";

Deno.test("the task that runs from source asks for exactly the permissions of the table", () => {
  const [, , ...words] = manifest.tasks.ipcauth.command.split(" ");
  assertEquals(words, [...PERMISSION_FLAGS, "main.ts"]);
});

Deno.test("no task asks for all permissions", () => {
  for (const [name, { command }] of Object.entries(manifest.tasks)) {
    assertEquals(/--allow-all|\s-A\s/.test(command), false, name);
  }
});

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/**
 * The arguments of Deno for the program from source, with the permissions of every build, and a
 * probe that tries to use each.
 */
function probed(...args: readonly string[]): string[] {
  return [
    ...[
      "run",
      "--quiet",
      ...PERMISSION_FLAGS,
      `--preload=${ROOT}tests/support/permission_probe.ts`,
    ],
    ...[`${ROOT}main.ts`, ...args],
  ];
}

/** The outcome that the probe has printed. */
function outcomeOf(whose: string, stderr: string): Record<string, boolean> {
  const line = stderr.split("\n").find((text) => text.startsWith(`${whose} rights: `));
  if (line === undefined) throw new Error(`the probe printed no line for ${whose}: ${stderr}`);
  return JSON.parse(line.slice(line.indexOf("{")));
}

/** The outcome that the table says. */
function expectedFor(mode: CommandMode): Record<string, boolean> {
  const kept: readonly string[] = KEPT_PERMISSIONS[mode];
  return {
    read: kept.includes("read"),
    write: kept.includes("write"),
    ffi: kept.includes("ffi"),
    env: false,
    "env of another": false,
    net: false,
    run: false,
    sys: false,
  };
}

/** Runs the program to its end. A server is ended once its standard error matches `until`. */
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

Deno.test("each command drops the permissions it does not need, and works", async (test) => {
  const directory = await Deno.makeTempDir();
  const config = `${directory}/config.yaml`;
  const key = `${directory}/a.key`;
  const socket = `${directory}/a.sock`;
  await Deno.writeTextFile(config, "users: [{ name: bob, uid: 579 }]\n", { mode: 0o644 });
  const runs: [CommandMode, string[], number, RegExp, RegExp?][] = [
    ["version", ["--version"], 0, /^ipcauth /],
    ["help", ["help", "serve"], 0, /^Usage: ipcauth serve/],
    ["completions", ["completions", "bash"], 0, /complete/],
    // A program that replaced it would not run the probe, so this one does not exist.
    ["run-as", ["run-as", String(Deno.uid()), "--", "/nowhere/at/all"], 127, /^$/],
    ["gen-key", ["gen-key", key], 0, /./],
    ["gen-key --show", ["gen-key", "--show", key], 0, /[0-9a-f]{16}/],
    ["users", ["users", "list", "--config", config], 0, /bob/],
    ["users edit", ["users", "allow", "bob", "--config", config], 0, /bob/],
    ["connect", ["connect", `--unix=${directory}/none`], 69, /^$/],
    [
      "connect --listen",
      ["connect", "--tcp=127.0.0.1:1", `--key=${key}`, "--listen", `unix:${socket}`],
      0,
      /^$/,
      /listening on/,
    ],
    ["serve", ["serve", `--unix=${socket}`, "--config", config], 0, /^$/, /"listen"/],
  ];
  try {
    assertEquals(runs.map(([task]) => task).sort(), Object.keys(KEPT_PERMISSIONS).sort());
    for (const [task, args, code, says, until] of runs) {
      await test.step(task, async () => {
        const outcome = await probe(args, until);
        assertEquals(outcome.code, code, outcome.stderr);
        assertMatch(outcome.stdout, says);
        assertEquals(outcomeOf("its", outcome.stderr), expectedFor(task));
        // The Worker is the data plane, or the tunnel.
        if (until) assertEquals(outcomeOf("its Worker's", outcome.stderr), expectedFor(task));
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "connect works with the permissions that it keeps (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const path = program.path("a.sock");
    await using _server = await program.serve([`--unix=${path}`]);
    const { code, stdout, stderr } = await probe(["connect", `--unix=${path}`, "-c", "who"]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /console/);
    assertEquals(outcomeOf("its", stderr), expectedFor("connect"));
  },
});

Deno.test("run-as becomes the program with the permissions that it keeps", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: probed("run-as", String(Deno.uid()), "--", "sh", "-c", "echo became; exit 7"),
    cwd: ROOT,
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stdout), text.decode(stderr)], [7, "became\n", ""]);
});

Deno.test("a dropped permission is not asked for at a terminal", async () => {
  const terminal = await Deno.readTextFile(`${ROOT}tests/support/terminal.py`);
  const { code, stdout } = await new Deno.Command("python3", {
    // A prompt would wait for an answer, and none is typed.
    args: ["-c", terminal, "[]", Deno.execPath(), ...probed("--version")],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const screen = new TextDecoder().decode(stdout).replaceAll("\r", "");
  assertEquals(outcomeOf("its", screen), expectedFor("version"));
  assertEquals(code, 0);
  assert(!/requests|\[y\/n/.test(screen), screen);
});
