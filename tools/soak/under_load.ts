/** A server under mixed load and faults, whose figures must not rise. */
import { Random } from "../../tests/support/random.ts";
import { SERVICES, ServiceVisits, TRANSPORTS } from "../../tests/support/service_visits.ts";
import { Faults } from "./faults.ts";
import { killServers } from "./kills.ts";
import { Load } from "./load.ts";
import { type Sample, sample } from "./samples.ts";
import { quantile, rises, trendOf } from "./trend.ts";

/** How often the server is looked at, and how often something fails, in milliseconds. */
const SAMPLE_INTERVAL_MS = 2_000;
const FAULT_INTERVAL_MS = 3_000;
/** How many clients come and go, and how many sessions stay open on each transport. */
const CLIENTS = 24;
const IDLE = 20;
/** How many servers are killed behind the run, for each hundred samples. */
const KILLS = 5;

/** By what part of its mean a figure may rise in the second half of a run. */
const PARTS: Readonly<Record<keyof Sample, number>> = {
  descriptors: 0.05,
  watched: 0.05,
  children: 0.5,
  threads: 0.05,
  memory: 0.05,
};

/** Runs until the end is signalled. @returns Whether all is as it must be. */
export async function runUnderLoad(end: AbortSignal, seed: number): Promise<boolean> {
  const random = new Random(seed);
  await using visits = await ServiceVisits.open({ metrics: true });
  const { server } = visits;
  for (let use = 0; use < 3; use++) {
    for (const service of SERVICES) {
      for (const transport of TRANSPORTS) await visits.visitAll(service, transport);
    }
  }
  await visits.metrics();
  const baseline = await visits.baseline();
  const atRest = await sample(server.pid);
  const load = new Load(visits, random);
  const faults = new Faults(visits, random);
  const running = load.run(CLIENTS, IDLE);
  const samples: Sample[] = [];
  let struck = 0;
  for (let next = Date.now(); !end.aborted;) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    next += SAMPLE_INTERVAL_MS;
    samples.push(await sample(server.pid));
    server.forget();
    if ((await visits.metrics()).size === 0) load.unanswered++;
    if ((samples.length - struck) * SAMPLE_INTERVAL_MS < FAULT_INTERVAL_MS) continue;
    struck = samples.length;
    await faults.strike();
    if (samples.length % 30 === 0) print(samples.at(-1)!, load);
  }
  load.stop();
  await running;
  const problems = [...load.problems];
  const left = await visits.left(baseline);
  if (left !== "") problems.push(left);
  for (const [name, part] of Object.entries(PARTS) as [keyof Sample, number][]) {
    const values = samples.map((one) => one[name]);
    if (!rises(values, part)) continue;
    const { mean, rise } = trendOf(values.slice(Math.floor(values.length / 2)));
    problems.push(`${name} rises by ${Math.round(rise)} from a mean of ${Math.round(mean)}`);
  }
  if (server.text !== "") problems.push(`on standard error: ${server.text}`);
  problems.push(...await differences(visits));
  report(atRest, samples, await sample(server.pid), load, faults, server.count("allow"));
  const count = Math.ceil(samples.length * KILLS / 100);
  const killed = await killServers(visits, random, count);
  problems.push(...killed.problems);
  console.log(`servers killed under load: ${count}, with ${killed.connections} connections`);
  const code = await visits.server.stop();
  if (code !== 0) problems.push(`the server has ended with ${code}`);
  for (const problem of new Set(problems)) console.log(`PROBLEM: ${problem}`);
  return problems.length === 0;
}

/** Where the counts of `metrics` are not those of the log, once all sessions have ended. */
async function differences(visits: ServiceVisits): Promise<string[]> {
  const { server } = visits;
  const before = { allow: server.count("allow"), close: server.count("close") };
  const counts = await visits.metrics();
  // The session that asks for them is open.
  const expected = { allowed: before.allow + 1, closed: before.close };
  return Object.entries(expected)
    .filter(([name, count]) => counts.get(`ipcauth_${name}_total`) !== count)
    .map(([name, count]) => `${counts.get(`ipcauth_${name}_total`)} ${name}, in the log ${count}`);
}

function print({ descriptors, watched, children, threads, memory }: Sample, load: Load): void {
  console.log(
    `${load.connections} connections; ${descriptors} descriptors, ${watched} watched, ` +
      `${children} children, ${threads} threads, ${memory} KiB`,
  );
}

function report(
  atRest: Sample,
  samples: readonly Sample[],
  atEnd: Sample,
  load: Load,
  { counts }: Faults,
  sessions: number,
): void {
  const { decisions, ends, connections, reopened, unanswered } = load;
  const part = (value: number) => quantile(decisions, value).toFixed(2);
  console.log(`connections: ${connections} ${JSON.stringify(ends)}; ${sessions} sessions`);
  console.log(`metrics: asked ${samples.length} times, ${unanswered} without an answer`);
  console.log(`sessions that stay: ${2 * IDLE}, opened again after faults: ${reopened}`);
  console.log(`decision, a denied Unix client, ms: p50 ${part(0.5)}, p99 ${part(0.99)}`);
  console.log(`faults: ${[...counts].map(([what, count]) => `${count} ${what}`).join(", ")}`);
  const half = samples.slice(Math.floor(samples.length / 2));
  console.log("figure: at rest before; mean and rise in the second half; at rest after");
  for (const name of Object.keys(PARTS) as (keyof Sample)[]) {
    const { mean, rise, error } = trendOf(half.map((one) => one[name]));
    console.log(
      `${name}: ${atRest[name]}; ${mean.toFixed(1)}, ${rise.toFixed(1)} ± ${error.toFixed(1)}; ` +
        `${atEnd[name]}`,
    );
  }
}
