/** What the benchmark says of two runs, and the statistics behind it. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { compareResults, formatChanges } from "../../bench/compare.ts";
import { formatAim, formatFigure, formatRatio } from "../../bench/format.ts";
import { Progress } from "../../bench/progress.ts";
import { makeResults, type Results } from "../../bench/results.ts";
import type { Scenario } from "../../bench/scenario.ts";
import { rankTest, spreadOf } from "../../bench/statistics.ts";

const start = () => Promise.reject(new Error("not measured here"));

/** Two workloads: one beside a limit, one alone. */
const SCENARIOS: readonly Scenario[] = (["beside", "alone"] as const).map((id) => ({
  id,
  group: "forward",
  measures: "Nothing",
  rounds: 9,
  seconds: id === "beside" ? 20 : 40,
  sides: [
    { name: "ipcauth", role: "ipcauth", start },
    ...(id === "beside" ? [{ name: "C loop", role: "limit", start } as const] : []),
  ],
  rows: { rate: { name: `rate ${id}`, unit: "/s", better: "more", aims: [] } },
}));

/** Results whose samples are given, by workload and side. */
function resultsOf(samples: Record<string, Record<string, readonly number[]>>): Results {
  const machine = { processor: "", cores: 2, memoryBytes: 0, kernel: "" };
  return makeResults(
    { date: "", commit: "", machine, load: [0, 0, 0], versions: {}, isQuick: false },
    {
      seconds: 0,
      isComplete: true,
      scenarios: Object.entries(samples).map(([id, sides]) => ({
        id,
        load: 0,
        sides: Object.entries(sides).map(([name, rate]) => ({
          name,
          role: name === "ipcauth" ? "ipcauth" : "limit",
          samples: { rate },
        })),
      })),
    },
  );
}

/** Samples around a rate, with noise of some per cent that depends on the seed alone. */
function noisy(rate: number, seed: number, rounds = 9): number[] {
  let state = seed * 2_654_435_761 % 2 ** 32;
  return Array.from({ length: rounds }, () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return rate * (1 + 0.06 * (state / 2 ** 32 - 0.5));
  });
}

const verdicts = (before: Results, after: Results): readonly string[] =>
  compareResults(SCENARIOS, before, after).map(({ verdict }) => verdict);

Deno.test("--against finds a planted change, for better and for worse, and says how large", () => {
  const before = resultsOf({ alone: { ipcauth: noisy(10_000, 1) } });
  const slower = resultsOf({ alone: { ipcauth: noisy(9_000, 2) } });
  assertEquals(verdicts(before, slower), ["worse"]);
  assertEquals(verdicts(slower, before), ["better"]);
  const text = formatChanges(compareResults(SCENARIOS, before, slower));
  assertMatch(text, /^worse: rate alone: [\d,]+\/s → [\d,]+\/s, 0\.\d+ × \(p = [\de.-]+\)$/m);
  assertMatch(text, /^1 of 1 rows moved, 0 are within the noise$/m);
});

Deno.test("--against takes noise for noise, whatever the seed", () => {
  let moved = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const [before, after] = [seed, seed + 1_000]
      .map((one) => resultsOf({ alone: { ipcauth: noisy(10_000, one) } }));
    if (verdicts(before!, after!)[0] !== "within the noise") moved++;
  }
  // The rank test alone would find 1 % of them, that is 4.
  assert(moved <= 4, `${moved} of 400`);
});

Deno.test("--against does not take a slower machine for a slower program", () => {
  const run = (speed: number, rate: number, seed: number) =>
    resultsOf({
      beside: { "ipcauth": noisy(rate * speed, seed), "C loop": noisy(20_000 * speed, seed) },
    });
  assertEquals(verdicts(run(1, 10_000, 1), run(0.6, 10_000, 2)), ["within the noise"]);
  assertEquals(verdicts(run(1, 10_000, 1), run(0.6, 8_000, 2)), ["worse"]);
});

Deno.test("--against does not compare what has too few rounds, or is in one run only", () => {
  const few = resultsOf({ alone: { ipcauth: [100, 101, 102] } });
  const other = resultsOf({ alone: { ipcauth: [10, 11, 12] } });
  assertEquals(verdicts(few, other), ["too few rounds"]);
  assertMatch(formatChanges(compareResults(SCENARIOS, few, other)), /--rounds 5/);
  assertEquals(verdicts(few, resultsOf({})), []);
});

Deno.test("rankTest() is the share of all orders that are at least as far apart", () => {
  // 5 and 5 values that do not overlap: 2 of 252 orders.
  assertAlmostEquals(rankTest([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252);
  assertAlmostEquals(rankTest([1, 3], [2, 4]), 4 / 6);
  assertEquals(rankTest([1, 1, 1], [1, 1, 1]), 1);
  const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 8 });
  fc.assert(fc.property(values, values, (a, b) => {
    const probability = rankTest(a, b);
    assert(probability > 0 && probability <= 1);
    assertAlmostEquals(probability, rankTest(b, a));
  }));
});

Deno.test("figures have their unit, and spreads their quartiles", () => {
  assertEquals(spreadOf([4, 1, 3, 2, 5]), { low: 2, median: 3, high: 4 });
  assertEquals(spreadOf([1, 2]), { low: 1.25, median: 1.5, high: 1.75 });
  assertEquals(formatFigure(0.0123, "s"), "12.3 ms");
  assertEquals(formatFigure(0.0000123, "s"), "12.3 µs");
  assertEquals(formatFigure(2_150_000_000, "B/s"), "2.15 GB/s");
  assertEquals(formatFigure(3_000, "B"), "2.93 KiB");
  assertEquals(formatFigure(14_459, "/s"), "14,459/s");
  assertEquals([0.035, 0.5, 12.34, 1345].map(formatRatio), [
    "0.035 ×",
    "0.50 ×",
    "12.3 ×",
    "1,345 ×",
  ]);
  const row = { ...SCENARIOS[0]!.rows.rate!, unit: "s", better: "less" } as const;
  assertEquals(formatAim({ figure: 0.02 }, row), "≤ 20 ms");
  assertEquals(formatAim({ figure: 1.2 }, row), "≤ 1.2 s");
  assertEquals(formatAim({ figure: 0.6 }, row), "≤ 600 ms");
});

Deno.test("progress shows the row, its round and the time left: on a terminal in one line", () => {
  let now = 0, text = "";
  const output = { columns: 80, write: (part: string) => void (text += part) };
  const terminal = new Progress(SCENARIOS, { ...output, isTerminal: true }, () => now);
  terminal.begin();
  terminal.round(2, 9);
  assertEquals(text, "\r\x1b[2K1 of 2: beside, round 2 of 9; 1 min 0 s left");
  // It took half of its budget, and so will the second one.
  now = 10_000;
  terminal.end();
  text = "";
  terminal.begin();
  terminal.round(0, 9);
  assertEquals(text, "\r\x1b[2K2 of 2: alone, first round; 20 s left");
  const plain = new Progress(SCENARIOS, { ...output, isTerminal: false }, () => now);
  text = "";
  plain.begin();
  plain.round(1, 9);
  plain.end();
  plain.begin();
  assertMatch(text, /^1 of 2: beside; 1 min 0 s left\n2 of 2: alone; .* left\n$/);
});
