/** Every command, with all threads. It is for the arguments that select no other script. */
import { COMMAND_MODULES, parseCommandLine } from "../../../../lib/cli/command_modules.ts";
import { isWorker, start, startThread } from "./start.ts";
import { dataPlane, nameService, tunnel } from "./threads.ts";

if (isWorker) {
  startThread({ "tunnel": tunnel, "name service": nameService, "data plane": dataPlane });
} else {
  start(parseCommandLine, COMMAND_MODULES);
}
