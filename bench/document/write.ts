/** Writes the document, its charts, and the results that they are made of. */
import { fromFileUrl, join } from "@std/path";
import { ROOT } from "../../tools/build/root.ts";
import type { Chart } from "../charts/chart.ts";
import { formatResults, type Results } from "../results.ts";
import { SCENARIOS } from "../scenarios.ts";
import { chartsOf } from "./charts.ts";
import { documentText } from "./text.ts";

/** Relative to the root of the repository. */
export const PUBLISHED = "bench/results/published.json";
export const DOCUMENT = "docs/benchmarks.md";

const CHARTS = fromFileUrl(new URL("../charts/", import.meta.url));

/**
 * Draws a chart in a process of its own, which may do nothing but read its modules.
 *
 * @returns SVG.
 */
async function draw(chart: Chart): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", `--config=${CHARTS}deno.json`],
      // The library asks in which mode it runs.
      ...["--allow-env=NODE_ENV", `${CHARTS}draw.ts`, JSON.stringify(chart)],
    ],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${chart.file}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** @throws {Error} Where the results are not those of a whole run. */
export async function writeDocument(results: Results): Promise<void> {
  if (!results.isComplete || results.isQuick) {
    throw new Error("the document is made of the results of a whole run, without --quick");
  }
  const charts = chartsOf(SCENARIOS, results);
  await Deno.mkdir(join(ROOT, "docs/benchmarks"), { recursive: true });
  for (const chart of charts) {
    await Deno.writeTextFile(join(ROOT, "docs", chart.file), await draw(chart));
  }
  await Deno.writeTextFile(join(ROOT, PUBLISHED), formatResults(results));
  await Deno.writeTextFile(join(ROOT, DOCUMENT), documentText(SCENARIOS, results, charts));
}
