/** The loader of the executable: which script it evaluates, and when. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Program, RunningServer } from "../support/program.ts";
import { loaderModule, loaderUrl } from "../../tools/build/executable/loader.ts";
import { buildScripts } from "../../tools/build/executable/scripts.ts";

const script = (body: string) => `(function(require,scriptUrl,argv,module){${body}})`;

const SCRIPTS = new Map([
  [
    "command",
    script(`
      const { sep } = require("node:path");
      const library = require("library");
      console.log("command", argv.join(" "), sep);
      const worker = new Worker(scriptUrl, { type: "module", name: "a thread" });
      worker.onmessage = ({ data }) => {
        console.log(data);
        console.log(library.value, library.value);
        Deno.exit(0);
      };`),
  ],
  ["a thread", script(`self.postMessage("thread " + argv.join(" "))`)],
  ["library", script(`console.log("library"); module.exports = { value: 7 }`)],
  ["unused", "this is evaluated by nothing"],
]);

const EXPECTED = "command run --x /\nthread run --x\nlibrary\n7 7\n";

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
  assertEquals(await run(loaderUrl([...SCRIPTS.keys()]), ...SCRIPTS.values()), EXPECTED);
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
      const [own, ...parts] = [...set.values()];
      assertLess(loaderUrl([...set.keys()]).length, 2_500, name);
      // A message of the package, and what all threads use.
      for (const text of ["Document with errors cannot be stringified", "receiveMessageOnPort"]) {
        assert(!own!.includes(text), `${name} contains ${text}`);
      }
      assertEquals(parts.length > 0, name !== "info" && name !== "run_as", name);
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
