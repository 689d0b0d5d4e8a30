/** Starts the program in one of the executable's scripts. */
import { run } from "../../../../lib/cli/app.ts";
import type { CommandModules } from "../../../../lib/cli/command_modules.ts";
import type { Thread } from "./threads.ts";
import type { Invocation } from "../../../../lib/cli/command_line.ts";

/** The address of the script, which `scripts.ts` passes to it: Workers are started from it. */
declare const scriptUrl: string;

/** Whether the script runs as a Worker. */
export const isWorker = "WorkerGlobalScope" in globalThis;

/** Runs the thread that the Worker's name says. @param threads By their names. */
export function startThread(threads: Readonly<Record<string, Thread>>): void {
  void threads[self.name]!().then((run) => run());
}

/** Stands for the modules of commands that a script does not contain. */
function absent(): never {
  throw new Error("the script was started for a command that it does not contain");
}

/**
 * Runs the program, and ends the process with its exit code.
 *
 * @param parse Reads the arguments.
 * @param modules The modules of the commands that select this script.
 */
export function start(
  parse: (argv: readonly string[]) => Invocation,
  modules: Partial<CommandModules>,
): void {
  const others = {
    usage: absent,
    completions: absent,
    runAs: absent,
    users: absent,
    groups: absent,
    keys: absent,
    config: absent,
    serve: absent,
    serveCheck: absent,
    connect: absent,
    status: absent,
    genKey: absent,
    signals: absent,
    ids: absent,
  };
  const options = { argv: Deno.args, self: scriptUrl, parse, modules: { ...others, ...modules } };
  void run(options).then((code) => Deno.exit(code));
}
