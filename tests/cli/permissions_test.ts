import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { KEPT, PERMISSION_FLAGS, type Task } from "../../lib/cli/permissions.ts";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("the task that runs the program from source asks for exactly the rights of the table", () => {
  const words = manifest.tasks.ipcauth.command.split(" ");
  assertEquals(words.filter((word) => word.startsWith("--allow")), [...PERMISSION_FLAGS]);
});

Deno.test("no task asks for every right there is", () => {
  for (const [name, { command }] of Object.entries(manifest.tasks)) {
    assertEquals(/--allow-all|\s-A\s/.test(command), false, name);
  }
});

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The program from source with the rights of every build, and a probe that tries them when it ends. */
async function probe(args: readonly string[], until?: RegExp) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", ...PERMISSION_FLAGS, `--preload=${ROOT}tests/cli/probe.ts`],
      ...[`${ROOT}main.ts`, ...args],
    ],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  const stdout = new Response(child.stdout).text();
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += chunk;
    // A server would go on for ever.
    if (until?.test(stderr)) {
      until = undefined;
      child.kill("SIGTERM");
    }
  }
  const { code } = await child.status;
  const [, found] = /^rights: (.*)$/m.exec(stderr) ?? [];
  if (found === undefined) throw new Error(`the probe did not speak: ${stderr}`);
  return {
    code,
    stdout: await stdout,
    stderr,
    rights: JSON.parse(found) as Record<string, boolean>,
  };
}

Deno.test("each command gives up what it does not need, and does its work all the same", async (test) => {
  const directory = await Deno.makeTempDir();
  const config = `${directory}/config.yaml`;
  const key = `${directory}/a.key`;
  const socket = `${directory}/a.sock`;
  await Deno.writeTextFile(config, "users: [{ name: bob, uid: 579 }]\n", { mode: 0o644 });
  const runs: [Task, string[], number, RegExp, RegExp?][] = [
    ["version", ["--version"], 0, /^ipcauth /],
    ["help", ["help", "serve"], 0, /^Usage: ipcauth serve/],
    ["completions", ["completions", "bash"], 0, /complete/],
    // What it becomes would not tell; so it is one that is not there.
    ["run-as", ["run-as", String(Deno.uid()), "--", "/nowhere/at/all"], 127, /^$/],
    ["gen-key", ["gen-key", key], 0, /./],
    ["gen-key --show", ["gen-key", "--show", key], 0, /[0-9a-f]{16}/],
    ["users", ["users", "list", "--config", config], 0, /bob/],
    ["users edit", ["users", "allow", "bob", "--config", config], 0, /bob/],
    ["connect", ["connect", `--unix=${directory}/nobody`], 69, /^$/],
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
    assertEquals(runs.map(([task]) => task).sort(), Object.keys(KEPT).sort());
    for (const [task, args, code, says, until] of runs) {
      await test.step(task, async () => {
        const outcome = await probe(args, until);
        assertEquals(outcome.code, code, outcome.stderr);
        assertMatch(outcome.stdout, says);
        const kept: readonly string[] = KEPT[task];
        assertEquals(outcome.rights, {
          read: kept.includes("read"),
          write: kept.includes("write"),
          ffi: kept.includes("ffi"),
          env: false,
          "env of another": false,
          net: false,
          run: false,
          sys: false,
        });
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
