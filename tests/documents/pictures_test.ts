/** The pictures of the documents: well-formed, small, legible, and true. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { COLORS as CHART_COLORS, DARK } from "../../bench/charts/chart.ts";
import { COLORS } from "../../tools/record/terminal_svg.ts";
import { recordDemo, RECORDING } from "../../tools/record/record.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";

const DOCS = fromFileUrl(new URL("../../docs/", import.meta.url));
const PICTURES = [...Deno.readDirSync(DOCS)].map(({ name }) => name)
  .filter((name) => name.endsWith(".svg"));
const CHARTS = [...Deno.readDirSync(`${DOCS}benchmarks`)].map(({ name }) => `benchmarks/${name}`);
const MAX_BYTES = 10_000;
/** They have a figure in each of their points. */
const MAX_CHART_BYTES = 40_000;
/** Of lines and marks, by WCAG 2.2, success criterion 1.4.11. */
const MIN_MARK_CONTRAST = 3;
/** Of normal text, by WCAG 2.2, success criterion 1.4.3. */
const MIN_CONTRAST = 4.5;

/** The contrast of two colours such as `#1b1f27`, by WCAG 2.2. */
function contrast(one: string, other: string): number {
  const luminance = (color: string) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = parseInt(color.slice(at, at + 2), 16) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [light, dark] = [luminance(one), luminance(other)].toSorted((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

/** The colours that text of a style sheet has. */
function textColors(svg: string): string[] {
  const style = /<style>([^]*?)<\/style>/.exec(svg)![1]!;
  return [...style.matchAll(/(?:text|\.[shcfbm]) ?\{[^}]*fill: ?(#[0-9a-f]{6})/g)]
    .map(([, color]) => color!);
}

/** The colours of areas that text may stand on. */
function backgrounds(svg: string): string[] {
  const areas = [...svg.matchAll(/\.(?:box|yes|no) ?\{[^}]*fill: ?(#[0-9a-f]{6})/g)];
  const rects = [...svg.matchAll(/<rect [^>]*fill="(#[0-9a-f]{6})"/g)];
  return [...areas, ...rects].map(([, color]) => color!);
}

Deno.test("the pictures are small, and legible on any page: they have their own background", () => {
  assertEquals(PICTURES.toSorted(), ["connection.svg", "demo.svg"]);
  for (const name of PICTURES) {
    const svg = Deno.readTextFileSync(DOCS + name);
    assert(svg.length < MAX_BYTES, `${name} has ${svg.length} bytes`);
    assert(!/<script|href="http|@import|url\(http/.test(svg), `${name} loads something`);
    const [width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number);
    const [, rectWidth, rectHeight] = /<rect [^>]*width="([\d.]+%?)" height="([\d.]+%?)"/.exec(
      svg,
    )!;
    const covers = (size: string, whole: number) => size === "100%" || Number(size) >= whole - 1;
    assert(covers(rectWidth!, width!) && covers(rectHeight!, height!), `${name}: no background`);
    const [colors, areas] = [textColors(svg), backgrounds(svg)];
    assert(colors.length > 0 && areas.length > 0, name);
    for (const color of colors) {
      for (const area of areas) {
        const ratio = contrast(color, area);
        assert(ratio >= MIN_CONTRAST, `${name}: ${color} on ${area} has ${ratio.toFixed(1)}`);
      }
    }
  }
  assert(textColors(Deno.readTextFileSync(RECORDING)).includes(COLORS.text));
});

Deno.test("the charts are legible on a light and on a dark page", () => {
  assert(CHARTS.length > 1);
  for (const name of CHARTS) {
    const svg = Deno.readTextFileSync(DOCS + name);
    assert(svg.length < MAX_CHART_BYTES, `${name} has ${svg.length} bytes`);
    assert(!/<script|href="http|@import|url\(http/.test(svg), `${name} loads something`);
    // The first area is the background.
    const light = /<rect [^>]*fill="(#[0-9a-f]{6})"/.exec(svg)![1];
    assertEquals(light, CHART_COLORS.background);
    for (const toPage of [(color: string) => color, (color: string) => DARK[color]!]) {
      const { background, text, lines } = CHART_COLORS;
      const page = toPage(background);
      assert(contrast(toPage(text), page) >= MIN_CONTRAST);
      for (const line of lines) assert(contrast(toPage(line), page) >= MIN_MARK_CONTRAST, line);
    }
    for (const [, fill] of svg.matchAll(/<text [^>]*fill="([^"]+)"/g)) {
      assertEquals(fill, CHART_COLORS.text, `${name}: a text`);
    }
    for (const [from, to] of Object.entries(DARK)) {
      assert(svg.includes(`[fill="${from}"]{fill:${to}}`), `${name}: ${from} on dark`);
    }
  }
});

Deno.test({
  name: "the pictures are well-formed XML (needs python3)",
  ignore: !isInstalled("python3"),
  async fn() {
    const script = "import sys, xml.dom.minidom as x; [x.parse(p) for p in sys.argv[1:]]";
    const { code, stderr } = await new Deno.Command("python3", {
      args: ["-c", script, ...[...PICTURES, ...CHARTS].map((name) => DOCS + name)],
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
});

Deno.test({
  name:
    "docs/demo.svg is what the demo prints today, or `deno task record` (needs root and script)",
  ignore: !isRoot || !isInstalled("script"),
  async fn() {
    assertEquals(await Deno.readTextFile(RECORDING), await recordDemo());
  },
});

Deno.test("docs/connection.svg names the services and the events of the program", () => {
  const svg = Deno.readTextFileSync(`${DOCS}connection.svg`);
  const names = [...svg.matchAll(/<text class="m"[^>]*>([^<]*)</g)].map(([, text]) => text!);
  for (const name of ["console", "metrics", "forward", "exec", "users", "groups", "allow"]) {
    assert(names.includes(name), name);
  }
  const events = Deno.readTextFileSync(`${DOCS}log.md`);
  for (const event of names.find((name) => name.includes("·"))!.split(" · ")) {
    assert(events.includes(`| \`${event}\` |`), event);
  }
});
