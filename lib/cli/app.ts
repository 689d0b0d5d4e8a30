/**
 * The table of commands: a parsed command line in, an exit code out. Each command's room is entered only
 * when it is asked for, so that `run-as` does not pay for the server.
 *
 * @module
 */
import manifest from "./version.json" with { type: "json" };
import { VARIABLES } from "../config/default_paths.ts";
import { HIDDEN, LIST, NOWHERE } from "../config/launcher_environment.ts";
import { ExitCode } from "../errors.ts";
import type { Invocation } from "./command_line.ts";
import type { Context } from "./context.ts";
import { writeAll } from "./output.ts";
import { dropPermissions } from "./permissions.ts";
import { isEdit } from "./users_action.ts";
import { report } from "../text/report.ts";
import type { CommandModules } from "./command_modules.ts";
import { startWorker } from "../reactor/worker_thread.ts";

/** The program's version. It is that of `deno.json`, of which nothing else is to be in a build. */
export const VERSION: string = manifest.version;

/** The commit it was built from, where a build has put it in. */
export const COMMIT: string | null = (manifest as { readonly commit?: string }).commit ?? null;

/** What a shell reports for a program that `SIGPIPE` ended. */
const SIGPIPE_STATUS = 141;

/** What the program is run with. */
export interface AppOptions {
  readonly argv: readonly string[];
  /** The address of the program's own module, from which the data plane is started. */
  readonly self: string;
  /** Reads the arguments. */
  readonly parse: (argv: readonly string[]) => Invocation;
  readonly modules: CommandModules;
}

/**
 * Runs the program.
 *
 * @returns The exit code. Nothing is thrown.
 */
export async function run({ argv, self, parse, modules }: AppOptions): Promise<ExitCode> {
  let color = false;
  try {
    const invocation = parse(argv);
    color = mayColor(invocation.globalFlags.color);
    return await execute(invocation, color, self, modules);
  } catch (error) {
    // The reader of our output has seen enough, as in `… | head -1`.
    if (error instanceof Deno.errors.BrokenPipe) return SIGPIPE_STATUS;
    const { text, exit } = report(error, color);
    try {
      writeAll(Deno.stderr, text);
    } catch {
      // Nobody can be told; the code still says what happened.
    }
    return exit;
  }
}

/** Enters the room of a command, gives up what the command does not need, and carries it out. */
async function execute(
  { command, globalFlags }: Invocation,
  color: boolean,
  self: string,
  rooms: CommandModules,
): Promise<ExitCode> {
  const env = environment();
  const context = (uid: number): Context => ({
    environment: { uid, env },
    config: globalFlags.config,
    color,
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
  });
  switch (command.kind) {
    case "version":
      dropPermissions("version");
      writeAll(Deno.stdout, `ipcauth ${VERSION}${COMMIT === null ? "" : ` (${COMMIT})`}\n`);
      return ExitCode.ok;
    case "help": {
      const { usageText } = await rooms.usage();
      dropPermissions("help");
      writeAll(Deno.stdout, usageText(command.topic));
      return ExitCode.ok;
    }
    case "completions": {
      const { completionScript } = await rooms.completions();
      dropPermissions("completions");
      writeAll(Deno.stdout, completionScript(command.shell));
      return ExitCode.ok;
    }
    case "run-as": {
      const { runAs } = await rooms.runAs();
      const hidden = Deno.env.get(LIST);
      dropPermissions("run-as");
      return runAs({ ...command, hidden });
    }
    case "users": {
      const [{ effectiveUid }, { users }] = await Promise.all([rooms.ids(), rooms.users()]);
      dropPermissions(isEdit(command.action) ? "users edit" : "users");
      return users(command.action, command.json, context(effectiveUid()));
    }
    case "serve": {
      // The thread is to have no more rights than we; so they are given up first.
      dropPermissions("serve");
      const thread = startWorker(self, "data plane");
      const [{ effectiveUid }, { serve }] = await Promise.all([rooms.ids(), rooms.serve()]);
      return serve(command, {
        ...context(effectiveUid()),
        logLevel: globalFlags.logLevel,
        logFormat: globalFlags.logFormat,
        logIsTerminal: Deno.stderr.isTerminal(),
        logSink: Deno.stderr,
        version: VERSION,
        thread,
      });
    }
    case "connect": {
      const [{ effectiveUid }, { connect }] = await Promise.all([rooms.ids(), rooms.connect()]);
      dropPermissions(command.mode.kind === "listen" ? "connect --listen" : "connect");
      return connect(command, { ...context(effectiveUid()), version: VERSION, self });
    }
    case "gen-key": {
      const [{ effectiveUid }, { genKey }] = await Promise.all([rooms.ids(), rooms.genKey()]);
      dropPermissions("gen-key");
      return genKey(command.file, command.force, context(effectiveUid()));
    }
    case "show-key": {
      const [{ effectiveUid }, { showKey }] = await Promise.all([rooms.ids(), rooms.genKey()]);
      dropPermissions("gen-key --show");
      return showKey(command.file, context(effectiveUid()));
    }
  }
}

function environment(): Record<string, string | undefined> {
  const env = Object.fromEntries(VARIABLES.map((name) => [name, Deno.env.get(name)]));
  return env.HOME === NOWHERE ? { ...env, HOME: Deno.env.get(`${HIDDEN}HOME`) } : env;
}

function mayColor(choice: "auto" | "always" | "never"): boolean {
  if (choice !== "auto") return choice === "always";
  return !Deno.env.get("NO_COLOR") && Deno.stderr.isTerminal() && Deno.stdout.isTerminal();
}
