/**
 * Draws a chart, its only argument (JSON): writes SVG to its standard output. It is a
 * project of its own, with its own lock file, so that nothing but a document that is written anew
 * downloads the library. It needs no permission but the one to look at `NODE_ENV`.
 */
import { init } from "echarts";
import { type Chart, DARK, hashOf } from "./chart.ts";

/** Puts the colours for a dark page into a chart: style sheets override attributes. */
function withDarkColors(svg: string, title: string, hash: string): string {
  const rules = Object.entries(DARK).map(([light, dark]) =>
    `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`
  );
  const style = `<style>@media(prefers-color-scheme:dark){${rules.join("")}}</style>`;
  return svg.replace(
    /^<svg([^>]*)>/,
    (_, attributes) =>
      `<svg${attributes} role="img" aria-label="${title}">\n<!-- ${hash} -->\n${style}`,
  );
}

const chart: Chart = JSON.parse(Deno.args[0]!);
const { width, height, option, title } = chart;
const drawn = init(null, null, { renderer: "svg", ssr: true, width, height });
drawn.setOption(option);
console.log(withDarkColors(drawn.renderToSVGString(), title, await hashOf(chart)));
// Its timer keeps the process alive.
drawn.dispose();
