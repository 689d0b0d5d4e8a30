/**
 * Tries mutants against tests: which tests pass which mutants, and which mutants no test fails for.
 *
 * @module
 */
import type { Mutant } from "./mutants.ts";
import type { MutantEnds, Plan, PlannedMutant, TestBegins } from "./plan.ts";
import { runPlan } from "./process.ts";
import { RECORD } from "./switch.ts";
import type { Tree } from "./tree.ts";

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  /**
   * `uncovered`: no test passes it. `survived`: the tests that pass it do not fail. `timeout` and
   * `crashed` are deaths, too.
   */
  readonly outcome: "killed" | "timeout" | "crashed" | "survived" | "uncovered";
  /** The test that has failed, or null. */
  readonly test: string | null;
}

/** The limit of a test of unknown duration, in milliseconds. */
const LIMIT = 60_000;

interface Coverage {
  /** The tests that pass each mutant, the quickest first. */
  readonly testsOf: Map<number, PlannedMutant["tests"]>;
  /** The mutants that are passed while the files are loaded. */
  readonly loaded: ReadonlySet<number>;
  /**
   * The mutants that a test passes less often when it runs again: parts of them are computed once
   * in a process, such as the constants of a module that a test imports, or a value that is kept.
   */
  readonly once: ReadonlySet<number>;
  /** Every test, the quickest first. */
  readonly all: PlannedMutant["tests"];
}

/** Says what a trial does. */
export type Log = (line: string) => void;

/**
 * Tries each mutant with the tests of some files that pass it.
 *
 * @param longest Tests that take longer, in milliseconds, are left out.
 * @param onVerdict Called as soon as a mutant's fate is known.
 */
export async function tryAll(
  tree: Tree,
  mutants: readonly Mutant[],
  files: readonly string[],
  longest: number,
  onVerdict: (verdict: Verdict) => void,
  log: Log,
): Promise<void> {
  if (mutants.length === 0 || files.length === 0) {
    for (const mutant of mutants) onVerdict({ mutant, outcome: "uncovered", test: null });
    return;
  }
  const coverage = await record(tree, files, longest, log);
  const byId = new Map(mutants.map((mutant) => [mutant.id, mutant]));
  const left: PlannedMutant[] = [];
  const loaded: Mutant[] = [];
  for (const mutant of mutants) {
    const tests = coverage.testsOf.get(mutant.id);
    if (coverage.loaded.has(mutant.id)) loaded.push(mutant);
    else if (tests === undefined) onVerdict({ mutant, outcome: "uncovered", test: null });
    else left.push({ id: mutant.id, tests });
  }
  const fresh = new Set<number>();
  while (left.length > 0) {
    for await (const verdict of batch(tree, files, left, byId, fresh)) {
      left.shift();
      // What it changes may have been computed before it became the active one.
      if (verdict.outcome === "survived" && coverage.once.has(verdict.mutant.id)) {
        loaded.push(verdict.mutant);
      } else onVerdict(verdict);
    }
  }
  for (const mutant of loaded) {
    const plan = { id: mutant.id, tests: everyTest(mutant, coverage) };
    let last: Verdict = { mutant, outcome: "crashed", test: null };
    for await (const verdict of alone(tree, files, plan, mutant)) last = verdict;
    onVerdict(last);
  }
}

/**
 * Every test, those that pass the mutant first: the others may use what was computed when no test
 * was running, or another one.
 */
function everyTest({ id }: Mutant, { testsOf, all }: Coverage): PlannedMutant["tests"] {
  const passing = testsOf.get(id) ?? [];
  return [...passing, ...all.filter((test) => !passing.includes(test))];
}

async function record(
  tree: Tree,
  files: readonly string[],
  longest: number,
  log: Log,
): Promise<Coverage> {
  const testsOf = new Map<number, { name: string; ms: number; limit: number }[]>();
  const loaded = new Set<number>();
  const once = new Set<number>();
  const all: { name: string; ms: number; limit: number }[] = [];
  const plan: Plan = { files, active: RECORD, isLoaded: true, limit: LIMIT, mutants: [] };
  for await (const step of runPlan(tree, plan)) {
    if ("loaded" in step) step.loaded.forEach((id) => loaded.add(id));
    if (!("test" in step)) continue;
    if (step.result !== "passed") {
      log(`left out, for it fails without a mutant: ${step.test}\n${step.error}`);
      continue;
    }
    if (step.ms > longest) continue;
    const test = { name: step.test, ms: step.ms, limit: 2_000 + 8 * step.ms };
    all.push(test);
    step.once.forEach((id) => once.add(id));
    for (const id of step.passed) {
      const tests = testsOf.get(id);
      if (tests === undefined) testsOf.set(id, [test]);
      else tests.push(test);
    }
  }
  for (const tests of [all, ...testsOf.values()]) tests.sort((one, other) => one.ms - other.ms);
  return { testsOf, loaded, once, all };
}

/** One process with many mutants, in order; it ends at one that takes the process with it. */
async function* batch(
  tree: Tree,
  files: readonly string[],
  left: readonly PlannedMutant[],
  byId: ReadonlyMap<number, Mutant>,
  fresh: Set<number>,
): AsyncGenerator<Verdict> {
  const plan: Plan = { files, active: 0, isLoaded: false, limit: LIMIT, mutants: [...left] };
  let isFirst = true;
  let verdict: Verdict | null = null;
  let running: Running | null = null;
  for await (const step of runPlan(tree, plan)) {
    if ("begins" in step) {
      running = runningOf(step, running);
      // Another one begins, so the last one has left nothing behind.
      if (step.id !== undefined && verdict !== null) {
        yield verdict;
        verdict = null;
        isFirst = false;
      }
    } else if ("spoiled" in step) {
      // In a process of its own, the test has passed before, without the mutant.
      if (!isFirst && !fresh.has(step.spoiled)) {
        fresh.add(step.spoiled);
        return;
      }
    } else if ("killer" in step) {
      verdict = verdictOf(step, byId.get(step.id)!);
      running = null;
    }
  }
  if (verdict !== null) yield verdict;
  else if (running !== null) yield lost(running, byId.get(running.id)!);
}

/** One process for a mutant that takes effect while the files are loaded. */
async function* alone(
  tree: Tree,
  files: readonly string[],
  planned: PlannedMutant,
  mutant: Mutant,
): AsyncGenerator<Verdict> {
  const plan: Plan = {
    files,
    active: mutant.id,
    isLoaded: true,
    limit: LIMIT,
    mutants: [planned],
  };
  let running: Running | null = null;
  for await (const step of runPlan(tree, plan)) {
    if ("begins" in step) running = runningOf(step, running);
    else if ("killer" in step) {
      yield verdictOf(step, mutant);
      return;
    }
  }
  if (running !== null) yield lost(running, mutant);
}

interface Running {
  readonly id: number;
  readonly test: string;
  readonly start: number;
  readonly limit: number;
}

function runningOf(step: TestBegins, last: Running | null): Running | null {
  if (step.id === undefined) return last;
  return { id: step.id, test: step.begins, start: Date.now(), limit: step.limit };
}

/** The process has ended in the middle of a test. */
function lost({ test, start, limit }: Running, mutant: Mutant): Verdict {
  const outcome = Date.now() - start > limit ? "timeout" : "crashed";
  return { mutant, outcome, test };
}

function verdictOf(step: MutantEnds, mutant: Mutant): Verdict {
  if (step.killer === null) return { mutant, outcome: "survived", test: null };
  return { mutant, outcome: step.result === "timeout" ? "timeout" : "killed", test: step.killer };
}
