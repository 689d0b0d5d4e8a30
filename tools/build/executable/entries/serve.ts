/** `serve`, and its threads. */
import { parseCommandLine } from "../../../../lib/cli/arguments.ts";
import { isWorker, start, startThread, type Threads } from "./start.ts";

const THREADS: Threads = {
  "data plane": async () =>
    (await import("../../../../lib/dataplane/worker.ts")).runDataPlaneWorker,
  "name service": async () =>
    (await import("../../../../lib/names/lookup_worker.ts")).runLookupWorker,
};

if (isWorker) startThread(THREADS);
else {
  start(parseCommandLine, {
    usage: () => import("../../../../lib/cli/usage.ts"),
    signals: () => import("../../../../lib/libc/signals.ts"),
    ids: () => import("../../../../lib/libc/ids.ts"),
    serve: () => import("../../../../lib/cli/serve.ts"),
    serveCheck: () => import("../../../../lib/cli/serve_check.ts"),
  });
}
