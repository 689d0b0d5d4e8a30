/** What two runs differ in, beyond the noise. */
import { formatFigure, formatRatio } from "./format.ts";
import { type Results, samplesOf, type ScenarioResult } from "./results.ts";
import { type Row, rowId, type Scenario, type Unit } from "./scenario.ts";
import { rankTest, ratios, spreadOf } from "./statistics.ts";

/** How improbable it has to be that both runs are the same. */
const MAX_PROBABILITY = 0.01;

/** Differences below this one are nothing that a reader would act on. */
const MIN_CHANGE = 0.02;

/** A row in both runs. */
export interface RowChange {
  readonly id: string;
  readonly name: string;
  /** The other side that both runs are compared beside; null: the figures themselves. */
  readonly beside: string | null;
  readonly before: number;
  readonly after: number;
  readonly unit: Unit;
  readonly probability: number;
  readonly verdict: "better" | "worse" | "within the noise" | "too few rounds";
}

/** The least probability that the rank test can find, for so many samples. */
const leastProbability = (before: number, after: number): number =>
  rankTest(
    Array.from({ length: before }, (_, index) => index),
    Array.from({ length: after }, (_, index) => before + index),
  );

/**
 * The samples of ipcauth: divided by those of another side that both runs have, because the speed
 * of the machine may differ between runs; of the limit first, which changes least.
 */
function comparable(
  scenario: Scenario,
  key: string,
  [before, after]: readonly [ScenarioResult, ScenarioResult],
): { readonly beside: string | null; readonly samples: readonly (readonly number[])[] } {
  const results = [before, after];
  const own = results.map((result) => samplesOf(result, scenario.sides[0]!.name, key));
  const others = scenario.sides.slice(1)
    .toSorted((a, b) => Number(b.role === "limit") - Number(a.role === "limit"));
  for (const { name } of others) {
    const samples = results.map((result) => samplesOf(result, name, key));
    if (samples.every(({ length }) => length > 0)) {
      return {
        beside: name,
        samples: own.map((figures, index) => ratios(figures, samples[index]!)),
      };
    }
  }
  return { beside: null, samples: own };
}

/**
 * A row has moved where the rank test says that both runs are improbably the same, and where the
 * medians differ by more than the larger of the two spreads (between the quartiles) and by more
 * than {@linkcode MIN_CHANGE}.
 */
function verdictOf(
  row: Row,
  before: readonly number[],
  after: readonly number[],
  probability: number,
): RowChange["verdict"] {
  if (leastProbability(before.length, after.length) > MAX_PROBABILITY) return "too few rounds";
  const [was, is] = [spreadOf(before), spreadOf(after)];
  const change = Math.abs(is.median - was.median);
  const noise = Math.max(was.high - was.low, is.high - is.low, was.median * MIN_CHANGE);
  if (probability > MAX_PROBABILITY || change <= noise) return "within the noise";
  return is.median > was.median === (row.better === "more") ? "better" : "worse";
}

/** Compares all rows that both runs have. */
export function compareResults(
  scenarios: readonly Scenario[],
  before: Results,
  after: Results,
): readonly RowChange[] {
  return scenarios.flatMap((scenario) => {
    const [was, is] = [before, after]
      .map(({ scenarios }) => scenarios.find(({ id }) => id === scenario.id));
    if (was === undefined || is === undefined) return [];
    return Object.entries(scenario.rows).flatMap(([key, row]): RowChange[] => {
      const { beside, samples: [a, b] } = comparable(scenario, key, [was, is]);
      if (a!.length === 0 || b!.length === 0) return [];
      const probability = rankTest(a!, b!);
      return [{
        id: rowId(scenario, key),
        name: row.name,
        beside,
        before: spreadOf(a!).median,
        after: spreadOf(b!).median,
        unit: row.unit,
        probability,
        verdict: verdictOf(row, a!, b!, probability),
      }];
    });
  });
}

/** The comparison as text: what moved, then how many rows did not. */
export function formatChanges(changes: readonly RowChange[]): string {
  if (changes.length === 0) return "both runs have no row in common";
  const moved = changes.filter(({ verdict }) => verdict === "better" || verdict === "worse");
  const lines = moved.map((change) => {
    const { name, beside, unit, probability, verdict } = change;
    const [before, after] = [change.before, change.after].map((value) =>
      beside === null ? formatFigure(value, unit) : formatRatio(value)
    );
    const what = beside === null ? "" : ` of ${beside}`;
    const factor = formatRatio(change.after / change.before);
    return `${verdict}: ${name}: ${before} → ${after}${what}, ` +
      `${factor} (p = ${probability.toPrecision(1)})`;
  });
  const count = (verdict: RowChange["verdict"]) =>
    changes.filter((change) => change.verdict === verdict).length;
  const few = count("too few rounds");
  return [
    ...lines,
    `${moved.length} of ${changes.length} rows moved, ${
      count("within the noise")
    } are within the ` +
    `noise${few > 0 ? `, ${few} have too few rounds to be compared (--rounds 5 or more)` : ""}`,
  ].join("\n");
}
