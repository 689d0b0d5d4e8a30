/** The loader of the executable: which script it evaluates, and when. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Program, RunningServer } from "../support/program.ts";
import { loaderModule, loaderUrl } from "../../tools/build/executable/loader.ts";
import { buildScripts } from "../../tools/build/executable/scripts.ts";

const part = (body: string) => `(function(require,load,scriptUrl,argv,module){${body}})`;

const SCRIPTS = new Map([
  [
    "command",
    [
      part(`
        const { sep } = require("node:path");
        const library = require("library");
        console.log("command", argv.join(" "), sep, require(1).name);
        const worker = new Worker(scriptUrl, { type: "module", name: "a thread" });
        worker.onmessage = async ({ data }) => {
          console.log(data);
          console.log(library.value, library.value, library.__esModule);
          const [one, two] = await Promise.all([load(2), load(2)]);
          console.log(one === two, one.name, await load(3).catch(({ message }) => message));
          Deno.exit(0);
        };`),
      part(`console.log("part 1"); module.exports = { name: "one" }`),
      part(`console.log("part 2"); module.exports = { name: require(1).name + " and two" }`),
      part(`throw new Error("part 3")`),
    ],
  ],
  ["a thread", [
    part(`self.postMessage("thread " + argv.join(" ") + require(1).value)`),
    part(`
    module.exports = { value: "!" }`),
  ]],
  ["library", [
    part(`console.log("library"); module.exports = { value: require(1) }`),
    part(`
    module.exports = 7`),
  ]],
  ["unused", ["this is evaluated by nothing"]],
]);

const EXPECTED = `part 1
command run --x / one
thread run --x!
library
7 7 undefined
part 2
true one and two part 3
`;

async function run(...argv: string[]): Promise<string> {
  const args = [
    "run",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--allow-read",
    ...argv,
    "run",
    "--x",
  ];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("the loader evaluates a command's script, and others when they are needed", async () => {
  assertEquals(await run(loaderUrl(SCRIPTS), ...[...SCRIPTS.values()].flat()), EXPECTED);
  const path = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(path, loaderModule(SCRIPTS));
    assertEquals(await run(path), EXPECTED);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a command's script holds no thread and no library, and the loader is short", async () => {
  const work = await Deno.makeTempDir();
  try {
    const scripts = await buildScripts({ hash: "0123456789ab", time: 0 }, work);
    for (const [name, set] of Object.entries(scripts)) {
      const [own, ...others] = [...set.values()];
      assertLess(loaderUrl(set).length, 3_500, name);
      // A message of the package, and what all threads use.
      for (const text of ["Document with errors cannot be stringified", "receiveMessageOnPort"]) {
        assert(!own!.join("").includes(text), `${name} contains ${text}`);
      }
      assertEquals(others.length > 0, name !== "info" && name !== "run_as", name);
      // What is read at each start: not what is imported by `import()`.
      assertLess(own![0]!.length, 50_000, name);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});

Deno.test("commands that need no module of Node start without its compatibility layer", async () => {
  await using program = await Program.install();
  const work = program.path("work");
  await Deno.mkdir(work);
  const scripts = await buildScripts({ hash: "0123456789ab", time: 0 }, work);
  const socket = program.path("a.sock");
  // A getter that is used ends the program, in each of its threads.
  const guard = `Object.defineProperty(globalThis, "process", {
    get() {
      console.error(new Error("Node is loaded").stack);
      Deno.exit(99);
    },
  });\n`;
  const command = async (name: keyof typeof scripts, ...argv: string[]) => {
    const path = await program.write(`${name}.js`, guard + loaderModule(scripts[name]));
    const flags = ["--quiet", "--no-config", "--no-lock", "--allow-all"];
    return program.command([Deno.execPath(), "run", ...flags, path, ...argv]);
  };
  await using _server = await program.serve([`--unix=${socket}`]);
  const guarded = await command("serve", "serve", `--unix=${program.path("b.sock")}`);
  await using server = new RunningServer(guarded.spawn());
  // It loads a module of Node with the first message to its data plane.
  await server.event("listen");
  for (
    const [name, ...argv] of [
      ["info", "--version"],
      ["files", "users", "list"],
      ["files", "groups", "list"],
      ["connect", "connect", `--unix=${socket}`, "-c", "show users"],
      ["connect", "status", `--unix=${socket}`],
    ] as const
  ) {
    const { code, stderr } = await (await command(name, ...argv)).output();
    assertEquals([argv, code], [argv, 0], new TextDecoder().decode(stderr));
  }
});
