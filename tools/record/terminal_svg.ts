/**
 * Draws the lines of a terminal as an SVG: text that can be selected and searched, on a background
 * of its own, so that it is legible on a light and on a dark page. Where animations are wanted, the
 * commands appear one after the other; else everything is there from the start.
 */

const COLUMN_PX = 7.2;
const LINE_PX = 17;
const MARGIN_PX = 16;

/** How long after a command the next one appears, in seconds. */
const STEP_S = 1.5;

/** The colours, which are compared with the background by a test. */
export const COLORS = {
  background: "#1b1f27",
  text: "#d7dce5",
  heading: "#8fd18f",
  command: "#ffffff",
  failure: "#ff9a8f",
} as const;

const STYLE = `text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;` +
  `white-space:pre;fill:${COLORS.text}}` +
  `.h{fill:${COLORS.heading}}.c{fill:${COLORS.command};font-weight:bold}` +
  `.f{fill:${COLORS.failure}}` +
  `@media (prefers-reduced-motion:no-preference){g{animation:show .2s both}}` +
  `@keyframes show{from{opacity:0}}`;

/**
 * Draws the lines.
 *
 * @param title What the picture shows, for readers who do not see it.
 */
export function terminalSvg(lines: readonly string[], title: string): string {
  const columns = Math.max(...lines.map((line) => line.length));
  const width = Math.ceil(columns * COLUMN_PX + 2 * MARGIN_PX);
  const height = Math.ceil(lines.length * LINE_PX + 2 * MARGIN_PX);
  const groups: string[][] = [[]];
  for (const [row, line] of lines.entries()) {
    if (line.startsWith("$ ") && groups.at(-1)!.length > 0) groups.push([]);
    if (line === "") continue;
    const y = MARGIN_PX + (row + 0.75) * LINE_PX;
    groups.at(-1)!.push(
      `<text x="${MARGIN_PX}" y="${y}"${classOf(line)}>${escaped(line)}</text>`,
    );
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" role="img" ` +
    `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="100%" height="100%" rx="8" fill="${COLORS.background}"/>`,
    ...groups.map((texts, step) =>
      `<g style="animation-delay:${step * STEP_S}s">\n${texts.join("\n")}\n</g>`
    ),
    "</svg>",
    "",
  ].join("\n");
}

function classOf(line: string): string {
  if (line.startsWith("# ")) return ' class="h"';
  if (line.startsWith("$ ")) return ' class="c"';
  return /^Failed |: error: /.test(line) ? ' class="f"' : "";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
