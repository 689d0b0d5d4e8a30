/** The stories of the model and the random inputs, with one seed after the other. */

/** Runs until the end is signalled or one fails. @returns Whether none has failed. */
export async function runStories(end: AbortSignal, seed: number): Promise<boolean> {
  let round = 0;
  do {
    const env = { IPCAUTH_FUZZ_SEED: String(seed + round), IPCAUTH_MODEL_RUNS: "20" };
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`).join(" ");
    console.log(`round ${round + 1}: ${words} deno task test tests/model/ tests/fuzz/`);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "test", "tests/model/", "tests/fuzz/"],
      env,
    }).spawn().status;
    if (code !== 0) return false;
    round++;
  } while (!end.aborted);
  console.log(`${round} rounds without a failure`);
  return true;
}
