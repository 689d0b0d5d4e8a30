/** The benchmark as a program: a short run, and one that is interrupted. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { parseResults, type Results } from "../../bench/results.ts";
import manifest from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/build/root.ts";
import { isRoot, Program } from "../support/program.ts";

/** Starts the task `bench` on the program of the tests, with temporary files of its own. */
function startBench(program: Program, ...args: string[]) {
  const [, ...task] = manifest.tasks.bench.command.split(" ");
  const temporary = join(program.directory, "temporary");
  const output = join(program.directory, "results.json");
  Deno.mkdirSync(temporary);
  const child = new Deno.Command(Deno.execPath(), {
    args: [...task, `--program=${program.bin}/ipcauth`, `--output=${output}`, ...args],
    cwd: ROOT,
    env: { TMPDIR: temporary, PATH: `${program.bin}:${Deno.env.get("PATH")}` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { child, output, temporary };
}

/** The command lines of processes that have something to do with a directory. */
async function processesOf(directory: string): Promise<readonly string[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-ewwo", "args="] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.includes(directory));
}

async function readResults(path: string): Promise<Results> {
  return parseResults(await Deno.readTextFile(path), path);
}

Deno.test({
  name: "bench measures a row beside its limit, keeps every sample and leaves nothing (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const { child, output, temporary } = startBench(
      program,
      ...["--quick", "--rounds=2", "--rows", "^accept-1\\.rate"],
    );
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    assertMatch(text.decode(stderr), /^1 of 1: accept-1; \d+ s left$/m);
    assertMatch(text.decode(stdout), /^ {2}C loop \(limit\) .* × +≥ 0\.8 × (missed|reached)$/m);
    const { isComplete, isQuick, machine, scenarios: [accept], versions } = await readResults(
      output,
    );
    assertEquals([isComplete, isQuick, machine.cores > 0], [false, true, true]);
    assertEquals(versions.deno, Deno.version.deno);
    const [own, limit, s6] = accept!.sides;
    for (const side of [own!, limit!]) {
      assertEquals(side.samples.rate!.length, 2);
      assert(side.samples.rate!.every((rate) => rate > 0));
    }
    // Where the peer is missing, its package is named.
    if (s6!.skipped !== undefined) assertMatch(s6!.skipped, /\(Debian package s6\)$/);
    assertEquals([...Deno.readDirSync(temporary)], []);
  },
});

/** When it is interrupted: at the latest while the client runs, in its 5,000 rounds. */
const MOMENTS: Readonly<Record<string, RegExp>> = {
  "while a program is compiled or runs": /\/load /,
  "while a server is measured": /\/load \S+ 0\.1 1$/,
};

for (const [moment, sign] of Object.entries(MOMENTS)) {
  Deno.test({
    name: `Ctrl-C ${moment} ends bench with 130; results stay, processes do not (needs root)`,
    ignore: !isRoot,
    async fn() {
      await using program = await Program.install();
      const { child, output, temporary } = startBench(
        program,
        ...["--quick", "--rounds=5000", "--rows", "^accept-1\\.rate"],
      );
      // The start of a process of another program is no event for this one.
      while (!(await processesOf(temporary)).some((line) => sign.test(line))) {
        await new Promise((next) => setTimeout(next, 10));
      }
      child.kill("SIGINT");
      const { code, stderr } = await child.output();
      assertEquals(code, 130, new TextDecoder().decode(stderr));
      assertEquals(await processesOf(temporary), []);
      assertEquals([...Deno.readDirSync(temporary)], []);
      const { isComplete, scenarios } = await readResults(output);
      assertEquals([isComplete, scenarios.map(({ id }) => id)], [false, ["accept-1"]]);
    },
  });
}

Deno.test("bench says where it may not write, before it measures", async () => {
  await using program = await Program.install();
  const file = await program.write("file", "");
  const { child } = startBench(program, `--output=${file}/results.json`, "--quick");
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stdout)], [1, ""]);
  assertEquals(
    text.decode(stderr),
    `bench: error: no file can be made in ${file}: File exists\n` +
      "hint: --output FILE keeps the results elsewhere; or clone the repository as this user\n",
  );
});
