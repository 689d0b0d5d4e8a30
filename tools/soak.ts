/**
 * `deno task soak [--minutes N] [--seed S] [--stories]`: a server under mixed load, whose system
 * calls fail, whose programs and backend are killed, and which is stopped for moments; its figures
 * must not rise. With `--stories`, the model and the random inputs of the tests instead, with one
 * seed after the other. Needs root, and strace(1).
 */
import { parseArgs } from "@std/cli/parse-args";
import { isInstalled } from "../tests/support/installed.ts";
import { runStories } from "./soak/stories.ts";
import { runUnderLoad } from "./soak/under_load.ts";

if (Deno.uid() !== 0) fail(77, "a server for several users needs root", "sudo deno task soak");
if (!isInstalled("strace")) fail(69, "this machine has no strace", "apt-get install strace");
const { minutes, seed, stories } = parseArgs(Deno.args, {
  string: ["minutes", "seed"],
  boolean: ["stories"],
  default: { minutes: "30", seed: String(Date.now() % 2 ** 31) },
});
const durationMs = Number(minutes) * 60_000;
const first = Number(seed);
if (!(durationMs > 0) || durationMs > 2 ** 32 - 1 || !Number.isSafeInteger(first)) {
  fail(64, "--minutes and --seed are numbers", "deno task soak --minutes 30");
}
console.log(`--minutes ${minutes} --seed ${first}`);
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.addSignalListener(signal, () => interruption.abort());
}
const run = stories ? runStories : runUnderLoad;
let isGood = false;
try {
  isGood = await run(
    AbortSignal.any([AbortSignal.timeout(durationMs), interruption.signal]),
    first,
  );
} catch (error) {
  // Ctrl-C ends the server, too.
  if (!interruption.signal.aborted) throw error;
}
Deno.exit(interruption.signal.aborted ? 130 : isGood ? 0 : 1);

function fail(code: number, what: string, hint: string): never {
  console.error(`soak: error: ${what}\nhint: ${hint}`);
  Deno.exit(code);
}
