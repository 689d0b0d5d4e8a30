/** Every command, with all threads. It is for the arguments that select no other script. */
import { COMMAND_MODULES, parseCommandLine } from "../../../../lib/cli/command_modules.ts";
import { isWorker, start, startThread, type Threads } from "./start.ts";

const THREADS: Threads = {
  "tunnel": async () => (await import("../../../../lib/client/tunnel.ts")).runTunnelWorker,
  "name service": async () =>
    (await import("../../../../lib/names/lookup_worker.ts")).runLookupWorker,
  "data plane": async () =>
    (await import("../../../../lib/dataplane/worker.ts")).runDataPlaneWorker,
};

if (isWorker) startThread(THREADS);
else {
  start(parseCommandLine, COMMAND_MODULES);
}
