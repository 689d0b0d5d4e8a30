/**
 * The report: the survivors with their places, and the counts of each directory.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { isEquivalent } from "./equivalents.ts";
import type { Verdict } from "./trial.ts";

/** Whether no test has noticed a mutant. */
export function isAlive(outcome: Verdict["outcome"]): boolean {
  return outcome === "survived" || outcome === "uncovered";
}

/**
 * Prints the survivors and the counts, and writes all of it to `report.json`.
 *
 * @param output The directory of the file.
 * @param start When the run began, in milliseconds since the epoch.
 * @returns Whether only texts and mutants that are listed as equivalent have survived, and all of
 * the latter.
 */
export async function writeReport(
  verdicts: readonly Verdict[],
  output: string,
  start: number,
): Promise<boolean> {
  const sorted = verdicts.map((verdict) => ({ ...verdict, class: classOf(verdict) }));
  for (const verdict of sorted) {
    if (verdict.class === "survived") print(verdict, verdict.outcome);
    else if (verdict.class === "wrong") print(verdict, `not equivalent: ${verdict.test} fails`);
  }
  const count = (name: Class, directory?: string) =>
    sorted.filter((verdict) =>
      verdict.class === name &&
      (directory === undefined || dirname(verdict.mutant.file) === directory)
    ).length;
  const counts = (directory?: string) =>
    `${count("killed", directory)} killed, ${count("survived", directory)} survived, ` +
    `${count("text", directory)} of texts survived, ` +
    `${count("equivalent", directory)} are equivalent`;
  for (const directory of new Set(verdicts.map(({ mutant }) => dirname(mutant.file)))) {
    console.log(`${directory}: ${counts(directory)}`);
  }
  const seconds = Math.round((Date.now() - start) / 1_000);
  console.log(`${verdicts.length} mutants tried in ${seconds} s: ${counts()}`);
  const text = JSON.stringify({ seconds, verdicts: sorted }, null, 1);
  await Deno.writeTextFile(join(output, "report.json"), text);
  return count("survived") === 0 && count("wrong") === 0;
}

type Class = "killed" | "survived" | "text" | "equivalent" | "wrong";

function classOf({ mutant, outcome }: Verdict): Class {
  if (isEquivalent(mutant)) return isAlive(outcome) ? "equivalent" : "wrong";
  if (!isAlive(outcome)) return "killed";
  return mutant.operator === "text" ? "text" : "survived";
}

function print({ mutant }: Verdict, what: string): void {
  const { file, line, column, operator, from, to, source } = mutant;
  const change = operator === "return"
    ? `return at once: ${source}`
    : operator === "statement"
    ? `left out: ${from}`
    : `${operator}: ${from} → ${to}`;
  console.log(`${file}:${line}:${column}: ${what}: ${change}`);
}
