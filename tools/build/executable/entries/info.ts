/** `--version`, `help` and `completions`. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { start } from "./start.ts";

start(parseCommandLine, {
  usage: () => import("../../../../lib/cli/usage.ts"),
  completions: () => import("../../../../lib/cli/completions.ts"),
});
