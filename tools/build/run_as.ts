/**
 * The entry of the portable build for `run-as` alone: one small file, because the time to start
 * grows with the number and the size of the files that are loaded. The launcher uses it where the
 * first argument is `run-as` and the second names a user.
 */
import { run } from "../../lib/cli/app.ts";
import * as runAs from "../../lib/cli/run_as.ts";
import { parseWith } from "../../lib/cli/command_line.ts";
import { parseRunAs } from "../../lib/cli/run_as_arguments.ts";

/** Stands for the modules of the other commands, which this file does not contain. */
function absent(): never {
  throw new Error("run_as.js was started for another command than run-as");
}

Deno.exit(
  await run({
    argv: Deno.args,
    self: import.meta.url,
    parse: (argv) => parseWith(argv, { "run-as": parseRunAs }),
    modules: {
      usage: absent,
      runAs: () => Promise.resolve(runAs),
      ...{ completions: absent, users: absent, serve: absent, connect: absent, genKey: absent },
      ...{ groups: absent, keys: absent },
      ...{ config: absent, status: absent, serveCheck: absent, ids: absent, signals: absent },
    },
  }),
);
