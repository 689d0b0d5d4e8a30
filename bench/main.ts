/**
 * Measures ipcauth beside its peers (`deno task bench --help`). The exit code does not depend on
 * the figures: 0, 64 for a wrong command line, 130 where it was interrupted.
 */
import { dirname, join } from "@std/path";
import { DIST, ROOT } from "../tools/build/root.ts";
import { compareResults, formatChanges } from "./compare.ts";
import { DOCUMENT, writeDocument } from "./document/write.ts";
import { Installation } from "./installation.ts";
import { describeRun } from "./machine.ts";
import { measureScenario } from "./measure.ts";
import { type BenchOptions, parseOptions, selectScenarios, USAGE, UsageError } from "./options.ts";
import { Progress } from "./progress.ts";
import { formatResults, makeResults, parseResults, type Results } from "./results.ts";
import { rowId } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";
import { formatScenario } from "./table.ts";
import { NotWritable, requireWritable } from "./writable.ts";

const EX_USAGE = 64;
const EX_INTERRUPTED = 130;

/** Where results are kept that no option says the place of. */
const RESULTS = join(ROOT, "bench/results");

/** The load average from which on the machine is not idle, for each core. */
const BUSY = 0.25;

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => interruption.abort(new Error(signal)));
}

async function readResults(path: string): Promise<Results> {
  return parseResults(await Deno.readTextFile(path), path);
}

/** Where the lines of the progress go: standard error. */
function progressOutput() {
  const isTerminal = Deno.stderr.isTerminal();
  return {
    isTerminal,
    // A terminal that does not know its size says 0.
    columns: isTerminal && Deno.consoleSize().columns || 80,
    write: (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  };
}

/** Measures, prints each scenario when it has ended, and keeps the results after each. */
async function run(options: BenchOptions): Promise<Results> {
  const { signal } = interruption;
  const selected = selectScenarios(SCENARIOS, options.rows);
  if (selected.length === 0) throw new UsageError("no row has that name (--list)");
  const head = await describeRun(options.program, options.isQuick);
  if (head.load[0]! > head.machine.cores * BUSY) {
    console.error(`The machine is busy (load average ${head.load[0]}): take no figure as final.`);
  }
  const output = options.output ??
    join(
      RESULTS,
      `${head.date.replaceAll(/[-:]/g, "")}-${fileName(head.commit)}.json`,
    );
  const start = performance.now();
  const installation = await Installation.open(options.program);
  const progress = new Progress(selected, progressOutput());
  let results = makeResults(head, { seconds: 0, isComplete: false, scenarios: [] });
  try {
    for (const scenario of selected) {
      if (signal.aborted) break;
      progress.begin();
      const result = await measureScenario(scenario, installation, {
        isQuick: options.isQuick,
        rounds: options.rounds,
        signal,
        onRound: (round, of) => progress.round(round, of),
      });
      progress.end();
      console.log(formatScenario(scenario, result));
      results = makeResults(head, {
        seconds: Math.round((performance.now() - start) / 1000),
        isComplete: selected === SCENARIOS && selected.at(-1) === scenario && !signal.aborted,
        scenarios: [...results.scenarios, result],
      });
      await Deno.writeTextFile(output, formatResults(results));
    }
  } finally {
    progress.clear();
    await installation.close();
  }
  console.error(`${signal.aborted ? "interrupted; " : ""}results: ${output}`);
  return results;
}

/** What a run writes can be written, which is known before minutes have been spent. */
async function requireOutputs({ from, output, program, isWriting }: BenchOptions): Promise<void> {
  const elsewhere = "or clone the repository as this user";
  if (from === undefined) {
    const results = output === undefined ? RESULTS : dirname(output);
    await requireWritable(results, `--output FILE keeps the results elsewhere; ${elsewhere}`);
  }
  if (from === undefined && program === undefined) {
    await requireWritable(DIST, `--program FILE measures one that is built; ${elsewhere}`);
  }
  if (isWriting) await requireWritable(dirname(join(ROOT, DOCUMENT)), elsewhere.slice(3));
}

/** The last part of a path, without what a file name had better not contain. */
const fileName = (text: string): string => text.split("/").at(-1)!.replaceAll(/[^\w.+-]/g, "_");

async function main(): Promise<number> {
  const options = parseOptions(Deno.args);
  if (options.isHelp) {
    console.log(USAGE.trimEnd());
    return 0;
  }
  if (options.isListing) {
    for (const scenario of SCENARIOS) {
      for (const [key, { name }] of Object.entries(scenario.rows)) {
        console.log(`${rowId(scenario, key).padEnd(26)} ${name}`);
      }
    }
    return 0;
  }
  // A wrong name is found before anything is measured.
  const before = options.against === undefined ? null : await readResults(options.against);
  await requireOutputs(options);
  const results = options.from === undefined ? await run(options) : await readResults(options.from);
  if (interruption.signal.aborted) return EX_INTERRUPTED;
  if (before !== null) console.log(formatChanges(compareResults(SCENARIOS, before, results)));
  if (options.isWriting) await writeDocument(results);
  return 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  if (interruption.signal.aborted) Deno.exit(EX_INTERRUPTED);
  console.error(`bench: error: ${(error as Error).message}`);
  if (error instanceof UsageError) console.error("hint: deno task bench --help");
  if (error instanceof NotWritable) console.error(`hint: ${error.hint}`);
  Deno.exit(error instanceof UsageError ? EX_USAGE : 1);
}
