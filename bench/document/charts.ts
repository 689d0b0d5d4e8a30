/** The charts of the document, as data for the library that draws them. */
import { type Chart, type ChartOption, COLORS } from "../charts/chart.ts";
import { ratios, spreadOf } from "../statistics.ts";
import { type Results, samplesOf } from "../results.ts";
import type { Row, Scenario } from "../scenario.ts";

const WIDTH = 820;
const TEXT = { color: COLORS.text, fontFamily: "sans-serif", fontSize: 12 };

/** The rows of the first chart, and the peers that they are shown beside. */
const PEERS:
  readonly (readonly [row: string, label: string, sides: Readonly<Record<string, string>>])[] = [
    ["accept-1.rate", "accept and authenticate, connections/s", {
      "s6-ipcserver, s6-ipcserver-access": "s6",
    }],
    ["exec-1.rate", "a program a connection, 1 in flight, connections/s", {
      "s6-ipcserver, s6-ipcserver-access": "s6",
      "socat": "socat",
    }],
    ["exec-16.rate", "the same, 16 in flight", {
      "s6-ipcserver, s6-ipcserver-access": "s6",
      "socat": "socat",
    }],
    ["forward-1.rate", "forward, 1 in flight, connections/s", {
      "HAProxy, 1 thread": "HAProxy",
      "HAProxy, 1 thread, tcplog": "HAProxy that logs",
    }],
    ["forward-16.rate", "forward, 16 in flight, connections/s", {
      "HAProxy, 1 thread": "HAProxy",
      "HAProxy, 1 thread, tcplog": "HAProxy that logs",
    }],
    ["forward-bulk-1.rate", "forward, 1 stream, bytes/s", { "HAProxy, 1 thread": "HAProxy" }],
    ["forward-bulk-8.rate", "forward, 8 streams, bytes/s", { "HAProxy, 1 thread": "HAProxy" }],
    ["sessions-4000.memory", "memory of an idle session", { "HAProxy, 1 thread": "HAProxy" }],
    ["handshake-16.rate", "TCP, handshakes/s", { "spiped pair": "spiped" }],
    ["tunnel-bulk-1.rate", "TCP, 1 stream, bytes/s", { "spiped pair": "spiped" }],
    ["start-run-as.time", "run-as, whole process", {
      "gosu": "gosu",
      "setpriv": "setpriv",
      "/usr/bin/python3, the same calls": "python3",
    }],
  ];

/** A box: the extremes, the quartiles and the median. */
function box(samples: readonly number[]): number[] {
  const { low, median, high } = spreadOf(samples);
  return [Math.min(...samples), low, median, high, Math.max(...samples)].map(rounded);
}

const rounded = (value: number): number => Number(value.toPrecision(5));

/** By how much ipcauth is better than each peer: above 1 it is. */
function peersChart(scenarios: readonly Scenario[], results: Results): Chart {
  const boxes: { readonly label: string; readonly box: readonly number[] }[] = [];
  for (const [id, label, sides] of PEERS) {
    const [scenarioId, key] = id.split(".") as [string, string];
    const scenario = scenarios.find((one) => one.id === scenarioId)!;
    const result = results.scenarios.find((one) => one.id === scenarioId);
    const own = samplesOf(result, scenario.sides[0]!.name, key);
    for (const [side, name] of Object.entries(sides)) {
      const others = samplesOf(result, side, key);
      const isMore = scenario.rows[key]!.better === "more";
      const times = isMore ? ratios(own, others) : ratios(others, own);
      if (times.length > 0) boxes.push({ label: `${label} · ${name}`, box: box(times) });
    }
  }
  return {
    file: "benchmarks/peers.svg",
    title: "How many times as good as each peer ipcauth is: better on the right of 1",
    width: WIDTH,
    height: 90 + 26 * boxes.length,
    option: {
      ...base("How many times as good as the peer (rate, or 1 / time, 1 / memory)"),
      grid: { left: 390, right: 30, top: 50, bottom: 40 },
      xAxis: { ...axis("log"), axisLabel: { ...TEXT, formatter: "{value} ×" } },
      yAxis: {
        ...axis("category"),
        inverse: true,
        data: boxes.map(({ label }) => label),
        axisLabel: { ...TEXT, interval: 0 },
      },
      series: [{
        type: "boxplot",
        data: boxes.map((one) => one.box),
        boxWidth: [8, 12],
        itemStyle: { color: COLORS.faint, borderColor: COLORS.lines[0] },
        markLine: {
          symbol: "none",
          silent: true,
          label: { show: false },
          lineStyle: { color: COLORS.text, type: "solid" },
          data: [{ xAxis: 1 }],
        },
      }, {
        type: "scatter",
        symbolSize: 7,
        itemStyle: { color: COLORS.lines[0] },
        data: boxes.map((one, index) => [one.box[2], index]),
      }],
    },
  };
}

/** What all charts have. */
const base = (title: string): ChartOption => ({
  animation: false,
  backgroundColor: COLORS.background,
  textStyle: TEXT,
  title: { text: title, left: 12, top: 10, textStyle: { ...TEXT, fontSize: 13 } },
});

const axis = (type: string): ChartOption => ({
  type,
  axisLine: { lineStyle: { color: COLORS.text } },
  splitLine: { show: type !== "category", lineStyle: { color: COLORS.faint } },
});

/** A chart of rows that differ in one number. */
interface SeriesChart {
  readonly file: string;
  readonly title: string;
  /** The names of the series. */
  readonly series: readonly string[];
  /** What the number counts, and the unit of the other axis with its scale. */
  readonly x: string;
  readonly unit: string;
  readonly scale: number;
  readonly isLog: boolean;
}

const SERIES_CHARTS: readonly SeriesChart[] = [
  {
    file: "benchmarks/users.svg",
    title: "Edit, first connection after it, longest pause of an open session",
    series: ["edit", "first connection", "pause"],
    x: "users",
    unit: "ms",
    scale: 1e3,
    isLog: true,
  },
  {
    file: "benchmarks/keys.svg",
    title: "Processor time of the server for a client without a key",
    series: ["keys"],
    x: "keys",
    unit: "µs",
    scale: 1e6,
    isLog: false,
  },
  {
    file: "benchmarks/revocation.svg",
    title: "Time until all open sessions of a denied user have ended",
    series: ["revocation"],
    x: "sessions",
    unit: "ms",
    scale: 1e3,
    isLog: false,
  },
];

/** The points of a series: the samples of ipcauth at each number. */
function pointsOf(name: string, scenarios: readonly Scenario[], results: Results) {
  return scenarios.flatMap((scenario) =>
    Object.entries(scenario.rows).flatMap(([key, row]: [string, Row]) => {
      if (row.series?.name !== name) return [];
      const result = results.scenarios.find(({ id }) => id === scenario.id);
      const samples = samplesOf(result, scenario.sides[0]!.name, key);
      return samples.length === 0 ? [] : [{ at: row.series.at, samples }];
    })
  );
}

function seriesChart(
  { file, title, series, x, unit, scale, isLog }: SeriesChart,
  scenarios: readonly Scenario[],
  results: Results,
): Chart {
  const lines = series.flatMap((name, index) => {
    const color = COLORS.lines[index];
    const points = pointsOf(name, scenarios, results);
    const scaled = (value: number) => rounded(value * scale);
    return [
      {
        name,
        type: "line",
        symbol: "circle",
        symbolSize: 7,
        lineStyle: { color },
        itemStyle: { color },
        data: points.map(({ at, samples }) => [at, scaled(spreadOf(samples).median)]),
      },
      {
        type: "scatter",
        symbolSize: 4,
        itemStyle: { color, opacity: 0.5 },
        data: points.flatMap(({ at, samples }) => samples.map((value) => [at, scaled(value)])),
      },
    ];
  });
  const label = { ...TEXT, formatter: `{value} ${unit}` };
  return {
    file,
    title,
    width: WIDTH,
    height: 320,
    option: {
      ...base(title),
      legend: {
        data: series.length > 1 ? series : [],
        textStyle: TEXT,
        top: 34,
        left: 70,
        icon: "circle",
        // The library guesses the width of a text without a page to draw it on.
        itemGap: 40,
      },
      grid: { left: 95, right: 40, top: 66, bottom: 50 },
      xAxis: {
        ...axis("log"),
        name: x,
        nameLocation: "middle",
        nameGap: 30,
        nameTextStyle: TEXT,
        axisLabel: TEXT,
      },
      yAxis: { ...axis(isLog ? "log" : "value"), axisLabel: label },
      series: lines,
    },
  };
}

/** All charts of a run; a chart without a point is left out. */
export function chartsOf(scenarios: readonly Scenario[], results: Results): readonly Chart[] {
  return [
    peersChart(scenarios, results),
    ...SERIES_CHARTS
      .filter(({ series }) => pointsOf(series[0]!, scenarios, results).length > 0)
      .map((chart) => seriesChart(chart, scenarios, results)),
  ];
}
