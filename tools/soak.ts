/**
 * `deno task soak [--minutes N] [--seed S] [--stories]`: a server under mixed load, whose system
 * calls fail, whose programs and backend are killed, and which is stopped for moments; its figures
 * must not rise. With `--stories`, the model and the random inputs of the tests instead, with one
 * seed after the other. Needs root, and strace(1).
 */
import { parseArgs } from "@std/cli/parse-args";
import { runStories } from "./soak/stories.ts";
import { runUnderLoad } from "./soak/under_load.ts";

const { minutes, seed, stories } = parseArgs(Deno.args, {
  string: ["minutes", "seed"],
  boolean: ["stories"],
  default: { minutes: "30", seed: String(Date.now() % 2 ** 31) },
});
const until = Date.now() + Number(minutes) * 60_000;
const first = Number(seed);
if (!(until > 0) || !Number.isSafeInteger(first)) {
  console.error("soak: error: --minutes and --seed are numbers\nhint: deno task soak --minutes 30");
  Deno.exit(64);
}
console.log(`--minutes ${minutes} --seed ${first}`);
const run = stories ? runStories : runUnderLoad;
Deno.exit(await run(until, first) ? 0 : 1);
