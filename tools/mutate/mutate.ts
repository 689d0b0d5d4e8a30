/**
 * `deno task mutate [OPTION]... [PATH...]`: changes the program in one place after the other, and
 * says which changes no test notices.
 *
 * - `--own`: only with the tests of the directory itself that start no program;
 * - `--quick`: only with tests that take at most 1 s;
 * - `--further`: tries those that the nearest tests miss with tests of whole programs, too;
 * - `--since COMMIT`, `--lines FILE:FIRST-LAST`: only the lines that differ, or these;
 * - `--survivors`: not again those that any tests have killed, since only tests were added;
 * - `--output DIR`: in place of `dist/mutate/`; `--fresh` forgets what is known there.
 *
 * Ends with 1 where a mutant survives that is neither listed in `equivalents.json` nor a text, or
 * one that is listed is killed.
 */
import { parseArgs } from "@std/cli/parse-args";
import { dirname, join } from "@std/path";
import { DIST } from "../build/root.ts";
import { isEquivalent } from "./equivalents.ts";
import { isAlive, writeReport } from "./report.ts";
import { Results } from "./results.ts";
import {
  changedLines,
  DIRECTORIES,
  filesBelow,
  furtherTests,
  isSource,
  isWithin,
  type Lines,
  nearestTests,
  parseLines,
} from "./selection.ts";
import { endRunning } from "./process.ts";
import { mutatedTree, type Tree } from "./tree.ts";
import { tryAll, type Verdict } from "./trial.ts";
import type { Mutant } from "./mutants.ts";

/** The longest test of `--quick`, in milliseconds. */
const QUICK = 1_000;

const options = parseArgs(Deno.args, {
  string: ["since", "lines", "output"],
  boolean: ["further", "fresh", "own", "survivors", "quick"],
  default: { output: join(DIST, "mutate") },
  collect: ["lines"],
  unknown: (name: string) => name.startsWith("-") ? fail(`unknown option ${name}`) : true,
});
const ranges: Lines[] = options.lines.map((text: string) =>
  parseLines(text) ?? fail(`not FILE:LINE: ${text}`)
);
if (options.since !== undefined) {
  ranges.push(
    ...await changedLines(options.since) ?? fail(`git knows no commit ${options.since}`),
  );
}
const isNarrowed = ranges.length > 0 || options.since !== undefined;
const paths = options._.map(String);
for (const path of paths) {
  if (!isSource(path)) fail(`${path} is neither a directory nor a file of TypeScript here`);
}
const files = filesBelow(paths.length > 0 ? paths : DIRECTORIES)
  .filter((file) => !isNarrowed || ranges.some((range) => range.file === file));
const start = Date.now();
const directory = await Deno.makeTempDir({ prefix: "mutate-" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, async () => {
    await endRunning();
    remove(directory);
    Deno.exit(130);
  });
}
let verdicts: Verdict[];
try {
  verdicts = await run(await mutatedTree(directory, files));
} finally {
  remove(directory);
}
const isGood = await writeReport(verdicts, options.output, start);
Deno.exit(isGood ? 0 : 1);

function fail(text: string): never {
  console.error(`mutate: error: ${text}\nhint: deno task mutate lib/policy`);
  Deno.exit(64);
}

function remove(directory: string): void {
  try {
    Deno.removeSync(directory, { recursive: true });
  } catch (error) {
    console.error(`mutate: cannot remove ${directory}: ${error}`);
  }
}

async function run(tree: Tree): Promise<Verdict[]> {
  const chosen = tree.mutants.filter((mutant) => !isNarrowed || isWithin(mutant, ranges));
  const all: Verdict[] = [];
  for (const directory of new Set(files.map((file) => dirname(file)))) {
    const mutants = chosen.filter(({ file }) => dirname(file) === directory);
    let verdicts = await tryWith(tree, directory, mutants, nearestTests(directory, options.own));
    const further = furtherTests(directory);
    if (options.further && further.length > 0) {
      const left = verdicts.filter(({ mutant, outcome }) =>
        isAlive(outcome) && mutant.operator !== "text" && !isEquivalent(mutant)
      );
      const again = await tryWith(tree, directory, left.map(({ mutant }) => mutant), further);
      const byId = new Map(again.map((verdict) => [verdict.mutant.id, verdict]));
      verdicts = verdicts.map((verdict) => {
        const later = byId.get(verdict.mutant.id);
        return later === undefined || later.outcome === "uncovered" ? verdict : later;
      });
    }
    all.push(...verdicts);
  }
  return all;
}

/** Tries mutants with the tests of files, as far as no earlier run has done so. */
async function tryWith(
  tree: Tree,
  directory: string,
  mutants: readonly Mutant[],
  tests: readonly string[],
): Promise<Verdict[]> {
  const path = join(options.output, `${directory.replaceAll("/", "_")}.jsonl`);
  const results = await Results.open(path, tests, options.fresh);
  const verdicts = new Map<number, Verdict>();
  const untried: Mutant[] = [];
  for (const mutant of mutants) {
    const fate = await results.of(mutant, options.survivors);
    if (fate === undefined) untried.push(mutant);
    else verdicts.set(mutant.id, { mutant, ...fate });
  }
  console.log(
    `${directory}: ${untried.length} mutants to try with ${tests.length} files of tests, ` +
      `${verdicts.size} known from before`,
  );
  const writes: Promise<void>[] = [];
  await tryAll(tree, untried, tests, options.quick ? QUICK : Infinity, (verdict) => {
    verdicts.set(verdict.mutant.id, verdict);
    writes.push(results.add(verdict));
    if (verdicts.size % 100 === 0) console.log(`  ${verdicts.size} of ${mutants.length}`);
  }, (line) => console.log(`  ${line}`));
  await Promise.all(writes);
  return mutants.map(({ id }) => verdicts.get(id)!);
}
