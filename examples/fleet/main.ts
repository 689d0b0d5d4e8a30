/**
 * Three hosts, one directory and one file: makes them, runs the story, and removes all of it.
 *
 *   deno task fleet    exits with 0 if every step has the expected outcome
 */
import { printHeading } from "../authenticated-ipc/print.ts";
import { Fleet, removeLeftovers } from "./fleet.ts";
import { StepError } from "./host.ts";
import { needsOfMachine } from "./needs.ts";
import { tell } from "./story.ts";

/** The exit code of a process that Ctrl-C has ended: 128 + SIGINT. */
const INTERRUPTED = 130;

function progress(text: string): void {
  console.error(`fleet: ${text}`);
}

/** Runs a part, and says how long it took. */
async function timed<T>(what: string, part: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await part();
  progress(`${what} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return result;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    console.error("usage: deno task fleet");
    return 64;
  }
  const machine = needsOfMachine();
  if ("error" in machine) {
    console.error(`error: ${machine.error}\nhint: ${machine.hint}`);
    return machine.code;
  }
  const start = performance.now();
  await removeLeftovers(machine.temporary);
  let isInterrupted = false;
  let fleet: Fleet | null = null;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => {
      isInterrupted = true;
      (fleet?.close() ?? Promise.resolve()).finally(() => Deno.exit(INTERRUPTED));
    });
  }
  try {
    fleet = await Fleet.open(machine.temporary);
    const made = fleet;
    progress("making the image of three hosts; half a minute, more on a busy machine");
    await timed("the image is made", () => made.makeImage(machine));
    const hosts = await timed("the hosts are up", () => made.boot());
    await timed("the story is told", () => tell(hosts, made.share));
    await timed("removed", () => made.close());
    progress(`${((performance.now() - start) / 1000).toFixed(0)} s in all`);
    printHeading("Every step came out as it must. The hosts are gone, nothing is left.");
    return 0;
  } catch (error) {
    if (isInterrupted) return INTERRUPTED;
    if (!(error instanceof Error)) throw error;
    console.error(`\n${error instanceof StepError ? "" : "error: "}${error.message}`);
    console.error("the example has failed");
    return 1;
  } finally {
    await fleet?.close();
  }
}

Deno.exit(await main(Deno.args));
