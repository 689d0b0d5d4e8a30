/** The text of docs/benchmarks.md, made of results and of the declarations of the rows. */
import type { Chart } from "../charts/chart.ts";
import type { Results } from "../results.ts";
import type { Group, Scenario } from "../scenario.ts";
import { skippedSides, tableLines } from "../table.ts";
import { SECTIONS } from "./groups.ts";

/** The load average for each core from which on the figures are called provisional. */
const BUSY = 0.25;

const MAX_COLUMNS = 100;

/** Breaks a paragraph into lines. */
export function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > MAX_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join("\n");
}

const HOW = [
  "`deno task bench --write` has written this document, from `bench/results/published.json`, which " +
  "has every sample. [Contributing](../CONTRIBUTING.md#measure) tells how to run it and how to " +
  "compare two builds.",
  "All sides of a row are measured in turn, round by round, after one round that does not count. A " +
  "figure is the median of the rounds; beside it stand the quartiles. The ratio is ipcauth's figure " +
  "divided by that of the other side, the median of the ratios of the rounds, because the speed of " +
  "the machine may change between rounds. A row marked ↑ is better with a larger figure, one marked " +
  "↓ with a smaller one.",
  "A *limit* is what this machine's kernel or the cipher allows: the least program in C that does " +
  "the same work, the client of the benchmark without a server between it and the backend, or " +
  "`openssl speed`. Its ratio says how far off ipcauth is.",
  "ipcauth writes its log, two lines a connection, to a file. The peers log nothing, unless their " +
  "name says so.",
];

/** What was measured, where and when. */
function describe({ date, seconds, commit, machine, load, versions }: Results): string[] {
  const { processor, cores, memoryBytes, kernel } = machine;
  const gibibytes = Math.round(memoryBytes / 2 ** 30);
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const loads = load.map((value) => value.toFixed(2)).join(", ");
  const text =
    `Measured on ${date.slice(0, 10)} at ${date.slice(11, 16)} UTC, commit \`${commit}\`, ` +
    `in ${
      Math.ceil(seconds / 60)
    } minutes: ${cores} cores (${processor}), ${gibibytes} GiB, Linux ` +
    `${kernel}, load average ${loads} before the run. Versions: ${names}.`;
  if (load[0]! <= cores * BUSY) return [text];
  return [text, "**The machine was busy with other work, so these figures are provisional.**"];
}

/** The table of a section: for each row, ipcauth and what stands beside it. */
function table(scenarios: readonly Scenario[], results: Results): string[] {
  const lines = [
    "| row | side | median | quartiles | ipcauth / side | aim |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  for (const scenario of scenarios) {
    const result = results.scenarios.find(({ id }) => id === scenario.id);
    for (const [key, row] of Object.entries(scenario.rows)) {
      for (const line of tableLines(scenario, key, result)) {
        const isOwn = line.role === "ipcauth";
        const name = isOwn ? `${row.name} ${row.better === "more" ? "↑" : "↓"}` : "";
        const side = line.role === "limit" ? `*limit:* ${line.side}` : line.side;
        const aim = line.isMissed ? `**${line.aim}**` : line.aim;
        const cells = [name, side, line.figure, line.spread, line.ratio, aim];
        lines.push(`| ${cells.join(" | ")} |`.replaceAll("|  |", "| |").replaceAll("|  |", "| |"));
      }
    }
  }
  return lines.length === 2 ? [] : [lines.join("\n")];
}

/** The reasons for missed aims; the same reason of several rows once. */
function reasons(scenarios: readonly Scenario[], results: Results): string[] {
  const rows = new Map<string, string[]>();
  for (const scenario of scenarios) {
    const result = results.scenarios.find(({ id }) => id === scenario.id);
    for (const [key, row] of Object.entries(scenario.rows)) {
      if (!tableLines(scenario, key, result).some(({ isMissed }) => isMissed)) continue;
      const reason = row.reason ?? "";
      rows.set(reason, [...rows.get(reason) ?? [], row.name]);
    }
  }
  return [...rows].map(([reason, names]) => wrap(`Missed: ${names.join("; ")}. ${reason}`));
}

/** What the rows of a section measure; what several scenarios have in common once. */
function measured(scenarios: readonly Scenario[]): string[] {
  return [...new Set(scenarios.map(({ measures }) => measures))].map((text) => wrap(`${text}.`));
}

/** What a section could not measure. */
function leftOut(scenarios: readonly Scenario[], results: Results): string[] {
  const lines = scenarios.flatMap(({ id }) =>
    skippedSides(results.scenarios.find((result) => result.id === id)).map((text) =>
      `${id}, ${text}`
    )
  );
  return lines.length === 0 ? [] : [wrap(`Left out: ${lines.join("; ")}.`)];
}

const image = ({ file, title }: Chart): string => `![${title}](${file})`;

function section(
  group: Group,
  scenarios: readonly Scenario[],
  results: Results,
  charts: readonly Chart[],
): string[] {
  const own = scenarios.filter((scenario) => scenario.group === group);
  const { title, charts: files, notes } = SECTIONS[group];
  return [
    `## ${title}`,
    ...measured(own),
    ...table(own, results),
    ...leftOut(own, results),
    ...charts.filter(({ file }) => files.includes(file)).map(image),
    ...reasons(own, results),
    ...notes.map(wrap),
  ];
}

/** The whole document. */
export function documentText(
  scenarios: readonly Scenario[],
  results: Results,
  charts: readonly Chart[],
): string {
  const used = new Set(Object.values(SECTIONS).flatMap(({ charts }) => charts));
  return [
    "# Benchmarks",
    ...HOW.map(wrap),
    ...describe(results).map(wrap),
    ...charts.filter(({ file }) => !used.has(file)).map(image),
    ...(Object.keys(SECTIONS) as Group[])
      .flatMap((group) => section(group, scenarios, results, charts)),
  ].join("\n\n") + "\n";
}
