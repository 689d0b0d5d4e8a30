/** `serve`. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { start } from "./start.ts";

start(parseCommandLine, {
  usage: () => import("../../../../lib/cli/usage.ts"),
  signals: () => import("../../../../lib/libc/signals.ts"),
  ids: () => import("../../../../lib/libc/ids.ts"),
  serve: () => import("../../../../lib/cli/serve.ts"),
  serveCheck: () => import("../../../../lib/cli/serve_check.ts"),
});
