/** A thread that asks the name service. */
import { runLookupWorker } from "../../../../lib/names/lookup_worker.ts";

runLookupWorker();
