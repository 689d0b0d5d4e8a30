/** The rows of the benchmark are complete, and the document is made of the published results. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { hashOf } from "../../bench/charts/chart.ts";
import { chartsOf } from "../../bench/document/charts.ts";
import { documentText } from "../../bench/document/text.ts";
import { DOCUMENT, PUBLISHED, writeDocument } from "../../bench/document/write.ts";
import { parseOptions, selectScenarios, UsageError } from "../../bench/options.ts";
import { formatResults, makeResults, parseResults } from "../../bench/results.ts";
import { rowId } from "../../bench/scenario.ts";
import { SCENARIOS } from "../../bench/scenarios.ts";
import { ROOT } from "../../tools/build/root.ts";

/** A whole run takes at most so long, in seconds; half a minute of it to build the executable. */
const MAX_RUN_SECONDS = 12 * 60;
const BUILD_SECONDS = 30;

const read = (path: string): string => Deno.readTextFileSync(join(ROOT, path));
const published = () => parseResults(read(PUBLISHED), PUBLISHED);

Deno.test("every row of the benchmark has its fields, and every aim a side or a figure", () => {
  const ids = SCENARIOS.flatMap((scenario) =>
    Object.keys(scenario.rows).map((key) => rowId(scenario, key))
  );
  assertEquals(new Set(ids).size, ids.length);
  const names = SCENARIOS.flatMap(({ rows }) => Object.values(rows).map(({ name }) => name));
  assertEquals(new Set(names).size, names.length);
  for (const { id, measures, rounds, sides, rows } of SCENARIOS) {
    assertMatch(id, /^[a-z0-9-]+$/);
    assertMatch(measures, /[^.]$/, `${id}: the document adds the full stop`);
    assert(rounds >= 3, id);
    const own = sides.map(({ name }) => name);
    assertEquals(new Set(own).size, own.length, id);
    assertEquals(sides[0]!.role, "ipcauth", id);
    for (const { name, aims, reason = "" } of Object.values(rows)) {
      assert(name !== "", id);
      for (const aim of aims) {
        assert("figure" in aim ? aim.figure > 0 : own.slice(1).includes(aim.beside), name);
        assertMatch(reason, /^[A-Z`].*\.$/, `${name}: why its aim may be missed`);
      }
    }
  }
});

Deno.test("every workload of the benchmark stands beside a limit of the machine", () => {
  const without = SCENARIOS.filter(({ sides }) => !sides.some(({ role }) => role === "limit"));
  // The limit of their rows with one worker holds for them.
  assertEquals(without.map(({ id }) => id), ["workers-exec"]);
});

Deno.test("the budgets of all rows together are those of a run of twelve minutes", () => {
  const budget = SCENARIOS.reduce((sum, { seconds }) => sum + seconds, 0);
  assert(budget + BUILD_SECONDS <= MAX_RUN_SECONDS, `${budget} s`);
});

Deno.test("the document of the benchmark is the one that its published results make", async () => {
  const results = published();
  assert(results.isComplete && !results.isQuick);
  const charts = chartsOf(SCENARIOS, results);
  const mend = `deno task bench --write --from ${PUBLISHED}`;
  assertEquals(read(DOCUMENT), documentText(SCENARIOS, results, charts), mend);
  assert(charts.length > 1);
  for (const chart of charts) {
    const drawn = read(`docs/${chart.file}`);
    assert(drawn.includes(`<!-- ${await hashOf(chart)} -->`), `${chart.file} shows other figures`);
    assertMatch(drawn, /^<svg[^]*@media\(prefers-color-scheme:dark\)[^]*<\/svg>\s*$/);
  }
  // Another figure makes another document and other charts.
  const { scenarios: [first, ...rest] } = results;
  const scaled = {
    ...first!,
    sides: first!.sides.map((side) => ({
      ...side,
      samples: Object.fromEntries(
        Object.entries(side.samples).map(([key, values]) => [key, values.map((one) => one * 2)]),
      ),
    })),
  };
  const changed = { ...results, scenarios: [scaled, ...rest] };
  assert(documentText(SCENARIOS, changed, charts) !== read(DOCUMENT));
});

Deno.test("README shows a chart of the benchmark, and the results are read as they are written", () => {
  assertMatch(read("README.md"), /!\[[^\]]+\]\(docs\/benchmarks\/peers\.svg\)/);
  const text = read(PUBLISHED);
  assertEquals(formatResults(parseResults(text, PUBLISHED)), text);
});

Deno.test("results are the same in a file as where they were measured", () => {
  const { machine, ...rest } = published();
  const [scenario] = rest.scenarios;
  const sides = scenario!.sides.map((side) => ({ ...side, samples: { rate: [92_183.5 + 1 / 3] } }));
  const results = makeResults({ ...rest, machine }, {
    seconds: 1,
    isComplete: false,
    scenarios: [{ ...scenario!, sides }],
  });
  assertEquals(parseResults(formatResults(results), "a file"), results);
});

Deno.test("no document is written of a part of the rows, or with --quick", async () => {
  const results = published();
  for (const part of [{ isComplete: false }, { isQuick: true }]) {
    const refusal = await writeDocument({ ...results, ...part }).catch((error) => error);
    assertMatch(String(refusal), /whole run/);
  }
  assertThrows(() => parseOptions(["--write", "--quick"]), UsageError);
});

Deno.test("the command line of the benchmark selects rows by id and name, or is refused", () => {
  const { rows, rounds } = parseOptions(["forward", "--rows", "^exec-1\\.", "--rounds=4"]);
  const ids = selectScenarios(SCENARIOS, rows).map(({ id }) => id);
  assert(ids.includes("forward-1") && ids.includes("exec-1") && !ids.includes("exec-16"));
  assertEquals(rounds, 4);
  for (
    const wrong of [["--rows", "("], ["--rounds=0"], ["--rounds", "x"], ["--rowz"], ["--from="]]
  ) {
    assertThrows(() => parseOptions(wrong), UsageError, undefined, wrong.join(" "));
  }
  const foreign = [{ id: "x" }, null, { id: "x", sides: [null] }].map((scenario) =>
    JSON.stringify({ format: 1, scenarios: [scenario] })
  );
  const side = { name: "ipcauth", role: "ipcauth", samples: { rate: ["fast"] } };
  foreign.push(JSON.stringify({ format: 1, scenarios: [{ id: "x", sides: [side] }] }));
  for (const text of ["{}", "no", "null", "[]", '{"format":1,"scenarios":{}}', ...foreign]) {
    assertThrows(() => parseResults(text, "a.json"), Error, "a.json", text);
  }
});
