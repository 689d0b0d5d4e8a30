/** Trials of mutants: of what runs once in a process, and with programs. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { mutate } from "../../tools/mutate/mutants.ts";
import { tryAll, type Verdict } from "../../tools/mutate/trial.ts";
import { ROOT } from "../../tools/build/root.ts";
import { isAlive } from "../support/exec_server.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** What the tests import, and when: with their file, in a test, in a test of the two. */
const SOURCES = {
  "early.ts": "export const EARLY = 10;\n",
  "late.ts": `
const twice = (n: number): number => n * 2;
export const LATE = 20;
export const UNUSED = 50;
export const TWICE = twice(3);
export class Late {
  static readonly limit = 30;
}
export const direct = (n: number): number => twice(n);
`,
  "kept.ts": `
let kept: number | undefined;
export const limit = (): number => kept ??= computed();
function computed(): number {
  return 40;
}
`,
};

/** The first tests import and pass all of it, and ask for nothing; the others ask. */
const TESTS = `
import { limit } from "../lib/kept.ts";
import { EARLY } from "../lib/early.ts";
const late = () => import("../lib/late.ts");
function same(one: unknown, other: unknown): void {
  if (one !== other) throw new Error(one + " is not " + other);
}
Deno.test("imports", async () => void ((await late()).direct(0), limit()));
Deno.test("asks for what was imported with the file", () => same(EARLY, 10));
Deno.test("asks for a constant", async () => same((await late()).LATE, 20));
Deno.test("asks for what a function made of it", async () => same((await late()).TWICE, 6));
Deno.test("asks for a static member", async () => same((await late()).Late.limit, 30));
Deno.test("asks for a value that is kept", () => same(limit(), 40));
`;

/** Tries the mutants of sources with one file of tests. @returns The verdicts. */
async function verdictsOf(
  place: TemporaryDirectory,
  sources: Record<string, string>,
  tests: string,
): Promise<Verdict[]> {
  const tree = {
    directory: place.path,
    root: place.at("r"),
    temporary: place.at("t"),
    active: place.at("active"),
  };
  for (const path of ["t", "r/lib", "r/tests", "r/tools/mutate"]) {
    Deno.mkdirSync(place.at(path), { recursive: true });
  }
  place.write("active.passed", "");
  place.write("r/deno.json", '{ "permissions": { "test": { "all": true } } }');
  for (const name of ["runner.ts", "plan.ts", "switch.ts"]) {
    const text = Deno.readTextFileSync(join(ROOT, "tools/mutate", name));
    place.write(`r/tools/mutate/${name}`, text.replace("@FILE@", tree.active));
  }
  const mutants = Object.entries(sources).flatMap(([name, text], index) => {
    const mutated = mutate(`lib/${name}`, text, 1 + 100 * index, "../tools/mutate/switch.ts");
    place.write(`r/lib/${name}`, mutated.text);
    return mutated.mutants;
  });
  place.write("r/tests/x_test.ts", tests);
  const verdicts: Verdict[] = [];
  const problems: string[] = [];
  await tryAll(
    { ...tree, mutants },
    mutants,
    ["tests/x_test.ts"],
    Infinity,
    (verdict) => verdicts.push(verdict),
    (line) => problems.push(line),
  );
  assertEquals(problems, []);
  return verdicts;
}

Deno.test("a mutant of what is computed once in a process is killed by a test that uses it", async () => {
  using place = new TemporaryDirectory();
  const verdicts = await verdictsOf(place, SOURCES, TESTS);
  const alive = verdicts.filter(({ test }) => test === null)
    .map(({ mutant: { file, from, to } }) => `${file}: ${from} → ${to}`);
  assertEquals(alive, ["lib/late.ts: 50 → 51"]);
  // Each test that asks is needed, and nothing but what no test asks for survives.
  const killers = new Set(verdicts.map(({ test }) => test));
  assertEquals(killers.size, 1 + [...TESTS.matchAll(/"asks/g)].length);
});

Deno.test("a test that can be run once in a process kills each of its mutants", async () => {
  using place = new TemporaryDirectory();
  const tests = `
import { first, second } from "../lib/x.ts";
let runs = 0;
Deno.test("passes once", () => {
  if (++runs > 1) throw new Error("again");
  if (first() !== 10 || second() !== 20) throw new Error("a mutant");
});
`;
  const source = "export const first = () => 10;\nexport const second = () => 20;\n" +
    "export const unused = () => 30;\n";
  const verdicts = await verdictsOf(place, { "x.ts": source }, tests);
  assertEquals(verdicts.map(({ mutant: { from }, outcome }) => [from, outcome]).sort(), [
    ...[["10", "killed"], ["20", "killed"], ["30", "uncovered"]],
  ]);
});

Deno.test("a test that counts entries of maps kills what leaves one behind", async () => {
  using place = new TemporaryDirectory();
  const tests = `
import { mapsFilledBy } from ${JSON.stringify(join(ROOT, "tests/support/filled_maps.ts"))};
import { forget, keep } from "../lib/x.ts";
Deno.test("nothing is kept", () => {
  const maps = mapsFilledBy(() => (keep(), forget()));
  if ([...maps].some(({ size }) => size > 0)) throw new Error("kept");
});
`;
  const source = `const map = new Map<string, string>();
export const keep = () => map.set("a", "b");
export function forget(): void {
  map.delete("a");
}
`;
  const verdicts = await verdictsOf(place, { "x.ts": source }, tests);
  const outcomes = verdicts.map(({ mutant: { operator }, outcome }) => [operator, outcome]);
  assertEquals(outcomes.filter(([operator]) => operator === "statement"), [
    ["statement", "killed"],
  ]);
});

Deno.test("programs that a test has started and a mutant has left end with the trial", async () => {
  using place = new TemporaryDirectory();
  const tests = `
import { isStopped } from "../lib/x.ts";
Deno.test("starts a program", async () => {
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  Deno.writeTextFileSync(${JSON.stringify(place.at("pid"))}, child.pid + "\\n", { append: true });
  if (isStopped()) child.kill("SIGKILL");
  await child.status;
});
`;
  const source = "export const isStopped = () => true;\n";
  const verdicts = await verdictsOf(place, { "x.ts": source }, tests);
  assertEquals(verdicts.map(({ outcome }) => outcome), ["timeout"]);
  const pids = place.text("pid").trim().split("\n").map(Number);
  // Two runs without the mutant, and one with it.
  assertEquals(pids.length, 3);
  for (let waits = 0; waits < 200 && pids.some(isAlive); waits++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(pids.filter(isAlive), []);
});
