/** Runs `deno bundle`. */
import { ROOT } from "./root.ts";
import { runProgram } from "./run_program.ts";

/** How often it is run where another run is in its way. */
const ATTEMPTS = 3;

/**
 * Runs `deno bundle`. The first run in a home puts esbuild there, and clears its directory before:
 * of two that do so at the same time, one may fail to, and finds what the other one has put there
 * when it is run again.
 *
 * @param args What stands behind `bundle --minify`.
 * @param deno The runtime.
 * @throws {Error} With the bundler's message.
 */
export async function denoBundle(
  args: readonly string[],
  deno: string = Deno.execPath(),
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      await runProgram(deno, ["bundle", "--quiet", "--minify", ...args], ROOT);
      return;
    } catch (error) {
      const isInTheWay = (error as Error).message.includes("esbuild binary");
      if (!isInTheWay || attempt === ATTEMPTS) throw error;
    }
  }
}
