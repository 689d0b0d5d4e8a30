/** The thread that reads long configurations. */
import { runReadingWorker } from "../../../../lib/config/reading_worker.ts";

runReadingWorker();
