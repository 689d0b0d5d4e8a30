/** The results of a run, as they are kept: every sample, and what it was measured on. */
import type { Role } from "./scenario.ts";

/** The form of the file. Another form has another number. */
const FORMAT = 1;

/** The samples of a side. */
export interface SideResult {
  readonly name: string;
  readonly role: Role;
  /** By the key of the row, one for each round, in the row's unit. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** Why it was not measured. */
  readonly skipped?: string;
}

/** The samples of a scenario. Those with the same index were measured in one round. */
export interface ScenarioResult {
  readonly id: string;
  /** The load average of the last minute, before it. */
  readonly load: number;
  readonly sides: readonly SideResult[];
}

/** What was measured where. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
}

/** A run. */
export interface Results {
  readonly format: number;
  /** When it began (ISO 8601, UTC). */
  readonly date: string;
  /** How long it took, in seconds. */
  readonly seconds: number;
  /** What was measured: a commit; with `+` where files had changes, or a program that was named. */
  readonly commit: string;
  readonly machine: Machine;
  /** The load averages of 1, 5 and 15 minutes before the run. */
  readonly load: readonly number[];
  /** Versions of Deno and of the peers, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** With `--quick`, the figures are good for nothing but a look at whether all works. */
  readonly isQuick: boolean;
  /** False where it was interrupted, or where rows were selected. */
  readonly isComplete: boolean;
  readonly scenarios: readonly ScenarioResult[];
}

/** The head of new results. */
export type ResultsHead = Omit<Results, "format" | "seconds" | "isComplete" | "scenarios">;

/** Results as a file has them, so that a document is the same from either. */
export function makeResults(
  head: ResultsHead,
  rest: Pick<Results, "seconds" | "isComplete" | "scenarios">,
): Results {
  const results: Results = { format: FORMAT, ...head, ...rest };
  return JSON.parse(JSON.stringify(results, (_, value) => round(value)));
}

/** A number with as many digits as a measurement has: six. */
const round = (value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

/** The text of a file. The samples of one side and row stand in one line. */
export function formatResults(results: Results): string {
  const text = JSON.stringify(results, null, 2);
  return text.replaceAll(
    /\[\s+(-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*)\s+\]/g,
    (_, numbers: string) => `[${numbers.replaceAll(/\s+/g, " ")}]`,
  ) + "\n";
}

const isList = <T>(value: readonly T[] | undefined, isItem: (item: T) => boolean): boolean =>
  Array.isArray(value) && value.every(isItem);

/** Whether it has what the comparison and the document read. */
const isScenario = (scenario: Partial<ScenarioResult> | null): boolean =>
  typeof scenario?.id === "string" && isList(scenario.sides, isSide);

const isSide = (side: Partial<SideResult> | null): boolean =>
  typeof side?.name === "string" && typeof side.samples === "object" && side.samples !== null &&
  Object.values(side.samples).every((samples) => isList(samples, Number.isFinite));

/**
 * Reads the text of a file.
 *
 * @param name The file, for the message.
 * @throws {Error} Where it is no such file.
 */
export function parseResults(text: string, name: string): Results {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${name} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const results = value as Partial<Results> | null;
  if (results?.format !== FORMAT || !isList(results.scenarios, isScenario)) {
    throw new Error(`${name} has no results of this benchmark (format ${FORMAT})`);
  }
  return value as Results;
}

/** The samples of a row, by the name of the side. Empty: not measured. */
export function samplesOf(
  result: ScenarioResult | undefined,
  side: string,
  key: string,
): readonly number[] {
  return result?.sides.find(({ name }) => name === side)?.samples[key] ?? [];
}
