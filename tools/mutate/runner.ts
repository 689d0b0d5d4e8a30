/**
 * Runs tests in the copy of the tree, once for each mutant, in one process: `runner.ts PLAN`.
 *
 * Prints one line of JSON for each step on standard output. A mutant that takes the process with it
 * or never comes back is for the parent to see (`process.ts`).
 *
 * @module
 */
import { activate, RECORD, takePassed } from "./switch.ts";
import type { Plan, PlannedMutant, Step, TestResult } from "./plan.ts";

interface Test {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const MARK = "\u0001mutate ";
const output = new TextEncoder();
const tests = new Map<string, Test>();
let file = "";
/** Errors that no promise of the running test has caught. */
let uncaught: unknown[] = [];
/** What the last test that failed has thrown. */
let lastError = "";

function report(step: Step): void {
  Deno.stdout.writeSync(output.encode(`${MARK}${JSON.stringify(step)}\n`));
}

/** The context of a test: its steps run at once, and one that fails fails the test. */
function context(name: string): Deno.TestContext {
  const step = async (...args: unknown[]): Promise<boolean> => {
    const test = testOf(args);
    if (test !== null) await test.run();
    return true;
  };
  return { name, origin: file, step } as unknown as Deno.TestContext;
}

/** A test of the arguments of `Deno.test`, or null where it is ignored. */
function testOf(args: readonly unknown[]): Test | null {
  let name: string | undefined;
  let body: unknown;
  let isIgnored = false;
  for (const value of args) {
    if (typeof value === "string") name = value;
    else if (typeof value === "function") {
      body = value;
      name ??= value.name;
    } else if (typeof value === "object" && value !== null) {
      const options = value as Partial<Deno.TestDefinition>;
      name ??= options.name;
      body ??= options.fn;
      isIgnored = options.ignore === true;
    }
  }
  if (isIgnored || name === undefined || typeof body !== "function") return null;
  const title = name;
  const run = body as (context: Deno.TestContext) => unknown;
  return { name: title, run: async () => void await run(context(title)) };
}

function register(...args: unknown[]): void {
  const test = testOf(args);
  if (test !== null) tests.set(`${file} > ${test.name}`, test);
}

async function load(files: readonly string[]): Promise<void> {
  Object.assign(Deno, { test: Object.assign(register, { ignore: () => {}, only: register }) });
  for (const path of files) {
    file = path;
    await import(new URL(`../../${path}`, import.meta.url).href);
  }
  console.log =
    console.info =
    console.debug =
    console.warn =
    console.error =
      () => {};
}

/** Runs one test; one that takes longer than the limit, in milliseconds, has failed. */
async function run(name: string, limit: number): Promise<TestResult> {
  uncaught = [];
  lastError = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<TestResult>((resolve) => {
    timer = setTimeout(() => resolve("timeout"), limit);
  });
  const test = tests.get(name);
  if (test === undefined) return "failed";
  try {
    const result = await Promise.race([test.run().then(() => "passed" as const), late]);
    if (result === "timeout") return result;
    if (uncaught.length === 0) return "passed";
    lastError = String(uncaught[0]);
    return "failed";
  } catch (error) {
    lastError = String(error);
    return "failed";
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs each test twice, and reports which mutants it passes. What a module computes when it is
 * first imported, and what is kept after its first use, is passed by the first run alone. A test
 * that fails the second time can be run once in a process.
 */
async function record(plan: Plan): Promise<void> {
  report({ loaded: [...takePassed().keys()] });
  for (const name of tests.keys()) {
    report({ begins: name, limit: plan.limit });
    const start = performance.now();
    const result = await run(name, plan.limit);
    const ms = Math.round(performance.now() - start);
    const error = lastError;
    const first = takePassed();
    let again = first;
    if (result === "passed") {
      report({ begins: name, limit: plan.limit });
      const isRepeatable = await run(name, plan.limit) === "passed";
      const second = takePassed();
      again = isRepeatable ? second : new Map();
    }
    const passed = [...new Set([...first.keys(), ...again.keys()])];
    const once = passed.filter((id) => (again.get(id) ?? 0) < (first.get(id) ?? 0));
    report({ test: name, result, ms, error, passed, once });
    if (result === "timeout") Deno.exit(1);
  }
}

/** How many tests that have failed last are tried first. */
const MAX_KILLERS = 8;

/** The tests that have failed for the last mutants, most of them near, before the others. */
function likeliestFirst(
  planned: PlannedMutant["tests"],
  killers: readonly string[],
): PlannedMutant["tests"] {
  const likely = killers.flatMap((name) => planned.filter((test) => test.name === name));
  return [...likely, ...planned.filter(({ name }) => !killers.includes(name))];
}

/** Runs the tests of each mutant until one fails. */
async function tryMutants(plan: Plan): Promise<void> {
  let killers: readonly string[] = [];
  for (const { id, tests: planned } of plan.mutants) {
    const names = likeliestFirst(planned, killers);
    if (!plan.isLoaded) activate(id);
    let killer: string | null = null;
    let result: TestResult = "passed";
    for (const { name, limit } of names) {
      report({ begins: name, limit, id });
      result = await run(name, limit);
      if (result === "passed") continue;
      killer = name;
      break;
    }
    report({ id, killer, result });
    // What was not awaited may go on for ever.
    if (result === "timeout") Deno.exit(0);
    if (killer === null || plan.isLoaded) continue;
    killers = [killer, ...killers.filter((name) => name !== killer)].slice(0, MAX_KILLERS);
    activate(0);
    const limit = names.find(({ name }) => name === killer)!.limit;
    report({ begins: killer, limit });
    // A mutant that leaves something behind must not fail the tests of the next.
    if (await run(killer, limit) !== "passed") {
      report({ spoiled: id });
      Deno.exit(0);
    }
  }
}

const plan: Plan = JSON.parse(Deno.readTextFileSync(Deno.args[0]!));
for (const event of ["unhandledrejection", "error"] as const) {
  globalThis.addEventListener(event, (caught) => {
    caught.preventDefault();
    uncaught.push(caught);
  });
}
await load(plan.files);
await (plan.active === RECORD ? record(plan) : tryMutants(plan));
report({ done: true });
Deno.exit(0);
