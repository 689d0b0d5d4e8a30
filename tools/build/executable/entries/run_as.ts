/** `run-as`. */
import { parseWith } from "../../../../lib/cli/command_line.ts";
import { parseRunAs } from "../../../../lib/cli/run_as_arguments.ts";
import * as runAs from "../../../../lib/cli/run_as.ts";
import { start } from "./start.ts";

start(
  (argv) => parseWith(argv, { "run-as": parseRunAs }),
  { runAs: () => Promise.resolve(runAs) },
);
