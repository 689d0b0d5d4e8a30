/** The lines of the tables: a row of a scenario, side by side. */
import { formatAim, formatFigure, formatRatio, formatSpread, isReached } from "./format.ts";
import { samplesOf, type ScenarioResult } from "./results.ts";
import type { Aim, Role, Row, Scenario } from "./scenario.ts";
import { ratios, spreadOf } from "./statistics.ts";

/** A side of a row, as text. Empty: nothing to say. */
export interface TableLine {
  readonly side: string;
  readonly role: Role;
  readonly figure: string;
  readonly spread: string;
  /** The figure of ipcauth divided by that of this side: the median of the rounds. */
  readonly ratio: string;
  readonly aim: string;
  readonly isMissed: boolean;
}

/** The aim of a row for a side: beside a peer, or for ipcauth itself. */
function aimFor(row: Row, name: string, role: Role): Aim | undefined {
  return row.aims.find((aim) => "beside" in aim ? aim.beside === name : role === "ipcauth");
}

/** The lines of a row that was measured; none where ipcauth was not. */
export function tableLines(
  scenario: Scenario,
  key: string,
  result: ScenarioResult | undefined,
): readonly TableLine[] {
  const row = scenario.rows[key]!;
  const own = samplesOf(result, scenario.sides[0]!.name, key);
  if (own.length === 0) return [];
  return scenario.sides.flatMap(({ name, role }): TableLine[] => {
    const samples = samplesOf(result, name, key);
    if (samples.length === 0) return [];
    const spread = spreadOf(samples);
    const isOwn = role === "ipcauth";
    const ratio = spreadOf(ratios(own, samples)).median;
    const aim = aimFor(row, name, role);
    const isMissed = aim !== undefined && !isReached(isOwn ? spread.median : ratio, aim, row);
    return [{
      side: name,
      role,
      figure: formatFigure(spread.median, row.unit),
      spread: formatSpread(spread, row.unit),
      ratio: isOwn ? "" : formatRatio(ratio),
      aim: aim === undefined ? "" : `${formatAim(aim, row)} ${isMissed ? "missed" : "reached"}`,
      isMissed,
    }];
  });
}

/** The sides of a scenario that were not measured, with the reason. */
export function skippedSides(result: ScenarioResult | undefined): readonly string[] {
  return (result?.sides ?? []).flatMap(({ name, skipped }) =>
    skipped === undefined ? [] : [`${name}: ${skipped}`]
  );
}

/** A scenario for the terminal, with a line for each side of each row. */
export function formatScenario(scenario: Scenario, result: ScenarioResult): string {
  const text: string[] = [];
  for (const [key, row] of Object.entries(scenario.rows)) {
    const lines = tableLines(scenario, key, result);
    if (lines.length > 0) text.push(row.name);
    for (const { side, role, figure, spread, ratio, aim } of lines) {
      const name = role === "limit" ? `${side} (limit)` : side;
      text.push(
        `  ${name.padEnd(42)} ${figure.padStart(12)}  ${spread.padEnd(24)} ${
          ratio.padStart(8)
        }  ${aim}`
          .trimEnd(),
      );
    }
  }
  return [...text, ...skippedSides(result).map((line) => `  left out: ${line}`)].join("\n");
}
