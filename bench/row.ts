/** A row of the table: what it measures, how it is measured, and how the result is printed. */
import { Bench } from "./bench.ts";

/** How many rounds are measured, after one that is not counted. */
const ROUNDS = 7;

/** One measurement of each side. */
export interface Measurements {
  /** Measures ipcauth once. @returns The figure, in the row's unit. */
  ipcauth(): Promise<number>;
  /** Measures the peer once. @returns The figure, in the row's unit. */
  peer(): Promise<number>;
}

/** What a row measures, and against which peer. */
export interface Row {
  readonly name: string;
  readonly peer: string;
  /** The ratio that the project aims at; null: no aim. */
  readonly target: number | null;
  /** `s` is printed in milliseconds. */
  readonly unit: "/s" | " MB/s" | " KiB" | "s";
  /** True for rates, false for times and sizes. */
  readonly moreIsBetter: boolean;
  /** Starts the servers. */
  prepare(bench: Bench): Promise<Measurements>;
}

/** The medians of all rounds of a row. */
export interface Result {
  readonly row: string;
  readonly peer: string;
  readonly ipcauthFigure: number;
  readonly peerFigure: number;
  /** Above 1, ipcauth is better. The median of the ratios of the rounds. */
  readonly ratio: number;
  readonly target: number | null;
  readonly unit: string;
}

/**
 * Measures a row in a directory of its own. Each round measures ipcauth and the peer in turn, and
 * has its own ratio, because the speed of the machine may change between rounds.
 *
 * @throws {MissingTool} Where a tool of the row is not installed.
 */
export async function measure(row: Row): Promise<Result> {
  const bench = await Bench.open();
  const stop = () => void bench.close().finally(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", stop);
  try {
    const { ipcauth, peer } = await row.prepare(bench);
    // The first round fills caches and triggers compilation, on both sides.
    await ipcauth();
    await peer();
    const rounds: { ipcauth: number; peer: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ ipcauth: await ipcauth(), peer: await peer() });
    }
    return {
      row: row.name,
      peer: row.peer,
      ipcauthFigure: median(rounds.map(({ ipcauth }) => ipcauth)),
      peerFigure: median(rounds.map(({ peer }) => peer)),
      ratio: median(
        rounds.map(({ ipcauth, peer }) => row.moreIsBetter ? ipcauth / peer : peer / ipcauth),
      ),
      target: row.target,
      unit: row.unit,
    };
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    await bench.close();
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
}

function formatFigure(value: number, unit: string): string {
  if (unit === "s") return `${(value * 1000).toFixed(1)} ms`;
  return `${value < 100 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

/** A result as a line of the table. */
export function formatResult(result: Result): string {
  const { row, peer, ipcauthFigure, peerFigure, ratio, target, unit } = result;
  const reached = target === null
    ? ""
    : ratio >= target
    ? `≥ ${target} reached`
    : `≥ ${target} MISSED`;
  return [
    row.padEnd(48),
    formatFigure(ipcauthFigure, unit).padStart(10),
    `${formatFigure(peerFigure, unit)} ${peer}`.padEnd(34),
    `${ratio.toFixed(2)} ×`.padStart(9),
    reached,
  ].join("  ");
}
