/** Starts the program in one of the executable's scripts. */
import { run } from "../../../../lib/cli/app.ts";
import type { CommandModules } from "../../../../lib/cli/command_modules.ts";
import type { Invocation } from "../../../../lib/cli/command_line.ts";

/** The address of the loader (`loader.ts`), from which Workers are started. */
declare const scriptUrl: string;

/** The caller's arguments. */
declare const argv: readonly string[];

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
  const options = { argv, self: scriptUrl, parse, modules: { ...others, ...modules } };
  void run(options).then((code) => Deno.exit(code));
}
