/** Figures and ratios, as the terminal and the document show them. */
import type { Aim, Row, Unit } from "./scenario.ts";
import type { Spread } from "./statistics.ts";

/** A number with about three digits; with separators from a thousand on. */
function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** The scales of a unit, the largest first. */
const SCALES: Readonly<Record<Unit, readonly (readonly [least: number, suffix: string])[]>> = {
  "/s": [[0, "/s"]],
  "s": [[1, " s"], [1e-3, " ms"], [1e-6, " µs"]],
  "B": [[1024, " KiB"], [1, " B"]],
  "B/s": [[1e9, " GB/s"], [1e6, " MB/s"]],
};

/** A figure with its unit. The scale is that of another figure, where one is given. */
export function formatFigure(value: number, unit: Unit, like = value): string {
  const scales = SCALES[unit];
  const [scale, suffix] = scales.find(([least]) => like >= least) ?? scales.at(-1)!;
  return digits(value / (scale || 1)) + suffix;
}

/** The quartiles of a figure, such as `14.2 to 14.9 ms`. */
export function formatSpread({ low, median, high }: Spread, unit: Unit): string {
  const [from, to] = [low, high].map((value) => formatFigure(value, unit, median));
  return `${from!.replace(/ ?[^\d.,]+$/, "")} to ${to}`;
}

/** A ratio with two digits at least. */
export function formatRatio(ratio: number): string {
  if (ratio < 0.1) return `${ratio.toPrecision(2)} ×`;
  return `${
    ratio >= 100 ? Math.round(ratio).toLocaleString("en") : ratio.toFixed(ratio >= 10 ? 1 : 2)
  } ×`;
}

/** Whether a figure or ratio is what an aim asks for. */
export function isReached(value: number, aim: Aim, row: Row): boolean {
  const asked = "ratio" in aim ? aim.ratio : aim.figure;
  // What is printed counts: 0.999 × is 1.00 ×.
  const shown = "ratio" in aim ? Math.round(value * 100) / 100 : value;
  return row.better === "more" ? shown >= asked : shown <= asked;
}

/** An aim, such as `≥ 1.05 ×` or `≤ 20 ms`. */
export function formatAim(aim: Aim, row: Row): string {
  const sign = row.better === "more" ? "≥" : "≤";
  const text = "ratio" in aim ? `${aim.ratio} ×` : formatFigure(aim.figure, row.unit);
  return `${sign} ${text.replace(/\.0+(?= )/, "").replace(/(\.\d)0(?= )/, "$1")}`;
}
