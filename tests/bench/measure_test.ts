/** How the benchmark measures a workload: rounds in turn, what is missing, what fails. */
import { assertEquals, assertMatch } from "@std/assert";
import { Installation } from "../../bench/installation.ts";
import { measureScenario } from "../../bench/measure.ts";
import type { Scenario, Side } from "../../bench/scenario.ts";
import { formatScenario } from "../../bench/table.ts";
import { MissingTool } from "../../bench/tools.ts";

/** A workload with the given sides, the first of which is ipcauth. */
const scenarioOf = (...sides: readonly [string, Side["start"]][]): Scenario => ({
  id: "test",
  group: "accept",
  measures: "Nothing",
  rounds: 3,
  seconds: 60,
  sides: sides.map(([name, start], index) => ({
    name,
    role: index === 0 ? "ipcauth" : "peer",
    start,
  })),
  rows: { rate: { name: "a rate", unit: "/s", better: "more", aims: [] } },
});

/** Measures a workload. Nothing of the installation is started. */
async function measure(scenario: Scenario) {
  const installation = await Installation.open(Deno.execPath());
  try {
    const { signal } = new AbortController();
    const options = { isQuick: false, signal, onRound: () => {} };
    return await measureScenario(scenario, installation, options);
  } finally {
    await installation.close();
  }
}

Deno.test("bench measures all sides in turn, each round from another one on", async () => {
  let order = "";
  const side = (name: string): [string, Side["start"]] => [
    name,
    () => Promise.resolve(() => Promise.resolve({ rate: (order += name).length })),
  ];
  const { sides } = await measure(scenarioOf(side("a"), side("b"), side("c")));
  assertEquals(order, "abc" + "bca" + "cab" + "abc");
  // The first round does not count.
  assertEquals(sides.map(({ samples }) => samples.rate), [[6, 8, 10], [4, 9, 11], [5, 7, 12]]);
});

Deno.test("bench leaves a side out that is missing, and without ipcauth all of them", async () => {
  const present: Side["start"] = () => Promise.resolve(() => Promise.resolve({ rate: 1 }));
  const missing: Side["start"] = () => Promise.reject(new MissingTool("x (Debian package y)"));
  const scenario = scenarioOf(["ipcauth", present], ["peer", missing]);
  const result = await measure(scenario);
  assertEquals(result.sides[0]!.samples.rate, [1, 1, 1]);
  assertMatch(formatScenario(scenario, result), /^ {2}left out: peer: x \(Debian package y\)$/m);
  const { sides } = await measure(scenarioOf(["ipcauth", missing], ["peer", present]));
  assertEquals(sides.map(({ samples, skipped }) => [samples, skipped]), [
    [{}, "x (Debian package y)"],
  ]);
});

Deno.test("bench tries a workload that fails once more, and then says why it is left out", async () => {
  let attempts = 0;
  const failing = (times: number): Side["start"] => () => {
    if (++attempts <= times) return Promise.reject(new Error("no such port\nand more"));
    return Promise.resolve(() => Promise.resolve({ rate: 1 }));
  };
  const { sides: [second] } = await measure(scenarioOf(["ipcauth", failing(1)]));
  assertEquals([attempts, second!.samples.rate], [2, [1, 1, 1]]);
  attempts = 0;
  const { sides: [left] } = await measure(scenarioOf(["ipcauth", failing(2)]));
  assertEquals([attempts, left!.skipped], [2, "it failed: no such port"]);
});
