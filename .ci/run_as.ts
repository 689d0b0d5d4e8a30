/**
 * The portable build's shortest way to `run-as`: one file with nothing else in it, because each file that is loaded costs
 * as much as a system call of the program that it is about. The launcher takes it when the first word is `run-as`.
 */
import { run } from "../lib/cli/app.ts";
import * as runAs from "../lib/cli/run_as.ts";
import * as usage from "../lib/cli/usage.ts";

function locked(): never {
  throw new Error("the launcher has sent another command to run-as");
}

Deno.exit(
  await run({
    argv: Deno.args,
    self: import.meta.url,
    rooms: {
      usage: () => Promise.resolve(usage),
      runAs: () => Promise.resolve(runAs),
      ...{ completions: locked, users: locked, serve: locked, connect: locked, genKey: locked },
      ids: locked,
    },
  }),
);
