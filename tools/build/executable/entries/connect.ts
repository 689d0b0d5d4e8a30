/** `connect` and `status`. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { start } from "./start.ts";

start(parseCommandLine, {
  usage: () => import("../../../../lib/cli/usage.ts"),
  signals: () => import("../../../../lib/libc/signals.ts"),
  ids: () => import("../../../../lib/libc/ids.ts"),
  connect: () => import("../../../../lib/cli/connect.ts"),
  status: () => import("../../../../lib/cli/status.ts"),
});
