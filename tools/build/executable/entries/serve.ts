/** `serve`, and its threads. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { isWorker, start, startThread } from "./start.ts";
import { dataPlane, nameService } from "./threads.ts";

if (isWorker) startThread({ "data plane": dataPlane, "name service": nameService });
else {
  start(parseCommandLine, {
    usage: () => import("../../../../lib/cli/usage.ts"),
    signals: () => import("../../../../lib/libc/signals.ts"),
    ids: () => import("../../../../lib/libc/ids.ts"),
    serve: () => import("../../../../lib/cli/serve.ts"),
    serveCheck: () => import("../../../../lib/cli/serve_check.ts"),
  });
}
