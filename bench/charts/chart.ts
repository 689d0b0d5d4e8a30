/** A chart as data, and the colours of all charts. */

/** What the library draws: JSON. */
export type ChartOption = Readonly<Record<string, unknown>>;

/** A chart in `docs/`. */
export interface Chart {
  /** The name of the file. */
  readonly file: string;
  /** What it shows, as a sentence without its full stop. */
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly option: ChartOption;
}

/** The colours on a light page. */
export const COLORS = {
  background: "#ffffff",
  text: "#1f2328",
  faint: "#d1d9e0",
  lines: ["#0a5fd7", "#b35900", "#1a7f37", "#8250df"],
} as const;

/** The colours on a dark page, by those on a light one. */
export const DARK: Readonly<Record<string, string>> = {
  [COLORS.background]: "#0d1117",
  [COLORS.text]: "#e6edf3",
  [COLORS.faint]: "#3d444d",
  [COLORS.lines[0]]: "#6cb0ff",
  [COLORS.lines[1]]: "#f0a45d",
  [COLORS.lines[2]]: "#56d364",
  [COLORS.lines[3]]: "#c297ff",
};

/** A SHA-256 of all that a chart is drawn from, in hexadecimal digits. It stands in the drawing. */
export async function hashOf(chart: Chart): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([chart, DARK]));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
