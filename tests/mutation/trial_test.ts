/** Which mutants no test notices, where the code that they change runs once in a process. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { mutate } from "../../tools/mutate/mutants.ts";
import { tryAll } from "../../tools/mutate/trial.ts";
import { ROOT } from "../../tools/build/root.ts";
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

Deno.test("a mutant of what is computed once in a process is killed by a test that uses it", async () => {
  using place = new TemporaryDirectory();
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
  const mutants = Object.entries(SOURCES).flatMap(([name, text], index) => {
    const mutated = mutate(`lib/${name}`, text, 1 + 100 * index, "../tools/mutate/switch.ts");
    place.write(`r/lib/${name}`, mutated.text);
    return mutated.mutants;
  });
  place.write("r/tests/x_test.ts", TESTS);
  const alive: string[] = [];
  const killers = new Set<string | null>();
  await tryAll({ ...tree, mutants }, mutants, ["tests/x_test.ts"], Infinity, (verdict) => {
    const { file, from, to } = verdict.mutant;
    if (verdict.test === null) alive.push(`${file}: ${from} → ${to}`);
    killers.add(verdict.test);
  }, (line) => alive.push(line));
  assertEquals(alive, ["lib/late.ts: 50 → 51"]);
  // Each test that asks is needed, and nothing but what no test asks for survives.
  assertEquals(killers.size, 1 + [...TESTS.matchAll(/"asks/g)].length);
});
