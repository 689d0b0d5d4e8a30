/** Every command. It is for the arguments that select no other script. */
import { COMMAND_MODULES, parseCommandLine } from "../../../../lib/cli/command_modules.ts";
import { start } from "./start.ts";

start(parseCommandLine, COMMAND_MODULES);
