/** The command line of the benchmark. */
import { parseArgs } from "@std/cli/parse-args";
import { rowId, type Scenario } from "./scenario.ts";

export const USAGE = `Usage: deno task bench [ROWS]... [OPTION]...

Measures ipcauth beside its peers, in one run on one machine, and prints medians.
Without ROWS, everything: about 12 minutes, as root.

  ROWS, --rows PATTERN  only the rows whose id or name contains the pattern, a
                        regular expression; may be given again
  --rounds N            measure each side N times, however long it takes
  --quick               3 short rounds, to see whether everything works
  --program FILE        measure this ipcauth, instead of building one
  --output FILE         write the results there; without it, to
                        bench/results/DATE-COMMIT.json
  --against FILE        compare with the results in FILE: what moved beyond the
                        noise
  --from FILE           measure nothing: take the results in FILE
  --write               write docs/benchmarks.md, its plots, and
                        bench/results/published.json, which they are made of
  --list                print the ids of all rows

Ctrl-C ends it and keeps what was measured.
`;

/** What the benchmark is asked to do. */
export interface BenchOptions {
  readonly rows: readonly RegExp[];
  readonly rounds: number | undefined;
  readonly isQuick: boolean;
  readonly program: string | undefined;
  readonly output: string | undefined;
  readonly against: string | undefined;
  readonly from: string | undefined;
  readonly isWriting: boolean;
  readonly isListing: boolean;
  readonly isHelp: boolean;
}

/** A command line that makes no sense. The message says why. */
export class UsageError extends Error {}

const FLAGS = ["quick", "write", "list", "help"];
const VALUES = ["rows", "rounds", "program", "output", "against", "from"];

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, "i");
  } catch (cause) {
    throw new UsageError(`--rows ${text} is no regular expression`, { cause });
  }
}

/** @throws {UsageError} */
export function parseOptions(args: readonly string[]): BenchOptions {
  const parsed = parseArgs([...args], {
    boolean: FLAGS,
    string: VALUES,
    collect: ["rows"],
    alias: { help: "h" },
    unknown: (name: string) => {
      if (name.startsWith("-")) throw new UsageError(`${name} is no option`);
    },
  });
  for (const name of VALUES) {
    if (parsed[name] === "") throw new UsageError(`--${name} needs a value`);
  }
  const rounds = parsed.rounds === undefined ? undefined : Number(parsed.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new UsageError(`--rounds ${parsed.rounds} is no number of rounds`);
  }
  const options: BenchOptions = {
    rows: [...parsed.rows as string[], ...parsed._.map(String)].map(pattern),
    rounds,
    isQuick: parsed.quick,
    program: parsed.program,
    output: parsed.output,
    against: parsed.against,
    from: parsed.from,
    isWriting: parsed.write,
    isListing: parsed.list,
    isHelp: parsed.help,
  };
  if (options.isWriting && (options.isQuick || options.rows.length > 0)) {
    throw new UsageError("--write is for a whole run, without ROWS and without --quick");
  }
  return options;
}

/** The scenarios that have a selected row. */
export function selectScenarios(
  scenarios: readonly Scenario[],
  rows: readonly RegExp[],
): readonly Scenario[] {
  if (rows.length === 0) return scenarios;
  return scenarios.filter((scenario) =>
    Object.entries(scenario.rows).some(([key, { name }]) =>
      rows.some((row) => row.test(rowId(scenario, key)) || row.test(name))
    )
  );
}
