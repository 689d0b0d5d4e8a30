/**
 * The portable build's shortest way to `run-as`: one file with nothing else in it, because each file that is loaded costs
 * as much as many a call of the C library. The launcher takes it when the first word is `run-as` and the second names a user.
 */
import { run } from "../../lib/cli/app.ts";
import * as runAs from "../../lib/cli/run_as.ts";
import { parseWith } from "../../lib/cli/command_line.ts";
import { parseRunAs } from "../../lib/cli/run_as_arguments.ts";

function locked(): never {
  throw new Error("the launcher has sent another command to run-as");
}

Deno.exit(
  await run({
    argv: Deno.args,
    self: import.meta.url,
    parse: (argv) => parseWith(argv, { "run-as": parseRunAs }),
    modules: {
      usage: locked,
      runAs: () => Promise.resolve(runAs),
      ...{ completions: locked, users: locked, serve: locked, connect: locked, genKey: locked },
      ids: locked,
    },
  }),
);
