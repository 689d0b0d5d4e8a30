/**
 * `deno task soak [--minutes N] [--seed S]`: runs the model and the random inputs of the tests with
 * one seed after the other, until the time is over or one fails. Needs root for the model.
 */
import { parseArgs } from "@std/cli/parse-args";

const { minutes, seed } = parseArgs(Deno.args, {
  string: ["minutes", "seed"],
  default: { minutes: "30", seed: String(Date.now() % 2 ** 31) },
});
const until = Date.now() + Number(minutes) * 60_000;
const first = Number(seed);
if (!(until > 0) || !Number.isSafeInteger(first)) {
  console.error("soak: error: --minutes and --seed are numbers\nhint: deno task soak --minutes 30");
  Deno.exit(64);
}
let round = 0;
do {
  const env = { IPCAUTH_FUZZ_SEED: String(first + round), IPCAUTH_MODEL_RUNS: "20" };
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`).join(" ");
  console.log(`round ${round + 1}: ${words} deno task test tests/model/ tests/fuzz/`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "test", "tests/model/", "tests/fuzz/"],
    env,
  }).spawn().status;
  if (code !== 0) Deno.exit(1);
  round++;
} while (Date.now() < until);
console.log(`${round} rounds without a failure`);
