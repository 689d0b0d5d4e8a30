/** The thread that carries the connections of a server. */
import { runDataPlaneWorker } from "../../../../lib/dataplane/worker.ts";

runDataPlaneWorker();
