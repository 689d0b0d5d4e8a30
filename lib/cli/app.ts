/**
 * Runs a parsed command. A command's modules are loaded when it is called, so that `run-as` does
 * not pay for the server.
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

/** The version of `deno.json`, copied into a file of its own: a build holds nothing else of it. */
const VERSION: string = manifest.version;

/** The commit it was built from; null when it runs from source. */
const COMMIT: string | null = (manifest as { readonly commit?: string }).commit ?? null;

/** A shell's status of a program that `SIGPIPE` ended: 128 + 13. */
const SIGPIPE_STATUS = 141;

/** What the program is run with. */
export interface AppOptions {
  /** The arguments, without the program's name. */
  readonly argv: readonly string[];
  /** The address of the program's own module, from which Workers are started. */
  readonly self: string;
  /** Reads the arguments. @throws {Failure} When they are no command. */
  readonly parse: (argv: readonly string[]) => Invocation;
  /** Loads what a command needs. */
  readonly modules: CommandModules;
}

/**
 * Runs the program and reports its errors on standard error.
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
    // The reader of standard output has closed it, as in `… | head -1`. That is not an error.
    if (error instanceof Deno.errors.BrokenPipe) return SIGPIPE_STATUS;
    const { text, exit } = report(error, color);
    try {
      writeAll(Deno.stderr, text);
    } catch {
      // Standard error cannot be written either. The exit code still says what happened.
    }
    return exit;
  }
}

/** Loads the modules of a command, drops the permissions it does not need, and runs it. */
async function execute(
  { command, globalFlags }: Invocation,
  color: boolean,
  self: string,
  modules: CommandModules,
): Promise<ExitCode> {
  const variables = environment();
  const context = (uid: number): Context => ({
    environment: { uid, variables },
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
      const { usageText } = await modules.usage();
      dropPermissions("help");
      writeAll(Deno.stdout, usageText(command.topic));
      return ExitCode.ok;
    }
    case "completions": {
      const { completionScript } = await modules.completions();
      dropPermissions("completions");
      writeAll(Deno.stdout, completionScript(command.shell));
      return ExitCode.ok;
    }
    case "run-as": {
      const { runAs } = await modules.runAs();
      const hidden = Deno.env.get(LIST);
      dropPermissions("run-as");
      return runAs({ ...command, hidden });
    }
    case "users": {
      const [{ effectiveUid }, { users }] = await Promise.all([modules.ids(), modules.users()]);
      dropPermissions(isEdit(command.action) ? "users edit" : "users");
      return users(command.action, command.json, context(effectiveUid()));
    }
    case "serve": {
      // First, because a Worker has the permissions that are left when it starts.
      dropPermissions("serve");
      const thread = startWorker(self, "data plane");
      const [{ effectiveUid }, { serve }] = await Promise.all([modules.ids(), modules.serve()]);
      return serve(command, {
        ...context(effectiveUid()),
        logLevel: globalFlags.logLevel,
        logFormat: globalFlags.logFormat,
        logIsTerminal: Deno.stderr.isTerminal(),
        logSinks: { stderr: Deno.stderr, stdout: Deno.stdout },
        version: VERSION,
        thread,
        startLookups: () => startWorker(self, "name service"),
      });
    }
    case "connect": {
      const [{ effectiveUid }, { connect }] = await Promise.all([modules.ids(), modules.connect()]);
      dropPermissions(command.mode.kind === "listen" ? "connect --listen" : "connect");
      return connect(command, {
        ...context(effectiveUid()),
        version: VERSION,
        self,
        errSink: Deno.stderr,
        startLookups: () => startWorker(self, "name service"),
      });
    }
    case "gen-key": {
      const [{ effectiveUid }, { genKey }] = await Promise.all([modules.ids(), modules.genKey()]);
      dropPermissions("gen-key");
      return genKey(command.file, command.force, context(effectiveUid()));
    }
    case "show-key": {
      const [{ effectiveUid }, { showKey }] = await Promise.all([modules.ids(), modules.genKey()]);
      dropPermissions("gen-key --show");
      return showKey(command.file, context(effectiveUid()));
    }
  }
}

/**
 * The variables the program reads; `HOME` is the caller's even where a launcher has replaced it.
 */
function environment(): Record<string, string | undefined> {
  const env = Object.fromEntries(VARIABLES.map((name) => [name, Deno.env.get(name)]));
  return env.HOME === NOWHERE ? { ...env, HOME: Deno.env.get(`${HIDDEN}HOME`) } : env;
}

/** Whether text may be coloured; `auto` means on a terminal without `NO_COLOR` (no-color.org). */
function mayColor(choice: "auto" | "always" | "never"): boolean {
  if (choice !== "auto") return choice === "always";
  return !Deno.env.get("NO_COLOR") && Deno.stderr.isTerminal() && Deno.stdout.isTerminal();
}
