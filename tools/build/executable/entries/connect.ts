/** `connect` and `status`, and their threads. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { isWorker, start, startThread } from "./start.ts";
import { nameService, tunnel } from "./threads.ts";

if (isWorker) startThread({ "tunnel": tunnel, "name service": nameService });
else {
  start(parseCommandLine, {
    usage: () => import("../../../../lib/cli/usage.ts"),
    signals: () => import("../../../../lib/libc/signals.ts"),
    ids: () => import("../../../../lib/libc/ids.ts"),
    connect: () => import("../../../../lib/cli/connect.ts"),
    status: () => import("../../../../lib/cli/status.ts"),
  });
}
