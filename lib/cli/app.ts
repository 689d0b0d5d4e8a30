/**
 * Runs a parsed command. A command's modules are loaded when it is called, so that `run-as` does
 * not pay for the server.
 *
 * @module
 */
import manifest from "./version.json" with { type: "json" };
import { VARIABLES } from "../config/default_paths.ts";
import { HIDDEN, LIST, NOWHERE } from "../config/launcher_environment.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Invocation } from "./command_line.ts";
import type { Context } from "./context.ts";
import { writeAll } from "./output.ts";
import { dropPermissions } from "./permissions.ts";
import { isGroupsEdit } from "./groups_action.ts";
import { isEdit } from "./users_action.ts";
import { escapeLines, escapePainted } from "../text/escape.ts";
import { report } from "../text/report.ts";
import type { CommandModules } from "./command_modules.ts";
import { ProcessSignals } from "../server/process_signals.ts";
import { startWorker } from "../reactor/worker_thread.ts";

/** The version of `deno.json`, copied into a file of its own: a build holds nothing else of it. */
const VERSION: string = manifest.version;

/** The commit it was built from; null when it runs from source. */
const COMMIT: string | null = (manifest as { readonly commit?: string }).commit ?? null;

/** A shell's status of a program that `SIGPIPE` ended: 128 + 13. */
const SIGPIPE_STATUS = 141;

/**
 * The signals that a server handles. SIGHUP is the first: with its first listener the runtime
 * catches it, and ends the process unless there is a listener for it.
 */
const SERVER_SIGNALS = ["SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT", "SIGXCPU"] as const;

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
  let color: ColorChoice = { out: false, err: false };
  try {
    const invocation = parse(argv);
    // The arguments of a program that `run-as` becomes may hold any byte, and are handed on so.
    if (invocation.command.kind !== "run-as" && argv.some((one) => one.includes("\ufffd"))) {
      (await import("./utf8_arguments.ts")).requireUtf8(argv);
    }
    color = colorsOf(invocation.globalFlags.color);
    return await execute(invocation, color, self, modules);
  } catch (error) {
    // The reader of standard output has closed it, as in `… | head -1`. That is not an error.
    if (error instanceof Deno.errors.BrokenPipe) return SIGPIPE_STATUS;
    const { text, exit } = report(withNames(error), color.err);
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
  color: ColorChoice,
  self: string,
  modules: CommandModules,
): Promise<ExitCode> {
  // These read no variable, so that one that is no UTF-8 does not matter to them.
  const variables = ["version", "help", "completions", "run-as"].includes(command.kind)
    ? {}
    : environment();
  const context = (uid: number): Context => ({
    environment: { uid, variables },
    config: globalFlags.config,
    color: color.err,
    // Texts hold names of the command line and of files.
    out: (text) => writeAll(Deno.stdout, color.out ? escapePainted(text) : escapeLines(text)),
    view: () => ({ columns: terminalColumns(), color: color.out }),
    err: (text) => writeAll(Deno.stderr, escapeLines(text)),
  });
  switch (command.kind) {
    case "version":
      dropPermissions("version");
      writeAll(Deno.stdout, `ipcauth ${VERSION}${COMMIT === null ? "" : ` (${COMMIT})`}\n`);
      return ExitCode.ok;
    case "help": {
      const { usageText } = await modules.usage();
      dropPermissions("help");
      writeAll(Deno.stdout, usageText(command.topic, color.out));
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
      const warn = (text: string) => writeAll(Deno.stderr, escapeLines(text));
      return runAs({ ...command, hidden, warn });
    }
    case "users": {
      const [{ effectiveUid }, { refuseDebugger }, { users }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.users(),
      ]);
      refuseDebugger([]);
      dropPermissions(isEdit(command.action) ? "users edit" : "users");
      return users(command.action, command.json, context(effectiveUid()));
    }
    case "groups": {
      const [{ effectiveUid }, { refuseDebugger }, { groups }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.groups(),
      ]);
      refuseDebugger([]);
      dropPermissions(isGroupsEdit(command.action) ? "groups edit" : "groups");
      return groups(command.action, command.json, context(effectiveUid()));
    }
    case "keys": {
      const [{ effectiveUid }, { refuseDebugger }, { keys }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.keys(),
      ]);
      refuseDebugger([]);
      dropPermissions(command.action.verb === "list" ? "keys" : "keys edit");
      return keys(command.action, command.json, context(effectiveUid()));
    }
    case "config": {
      const [{ effectiveUid }, { refuseDebugger }, { config }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.config(),
      ]);
      refuseDebugger([]);
      dropPermissions("config");
      return config(command.action, command.json, context(effectiveUid()));
    }
    case "serve": {
      if (command.check) {
        const [{ effectiveUid }, { refuseDebugger }, { checkServe }] = await Promise.all([
          modules.ids(),
          modules.signals(),
          modules.serveCheck(),
        ]);
        refuseDebugger([]);
        dropPermissions("serve --check");
        return checkServe(command, context(effectiveUid()));
      }
      const signals = new ProcessSignals(SERVER_SIGNALS);
      // First, because a Worker has the permissions that are left when it starts.
      dropPermissions("serve");
      const thread = startWorker(self, "data plane");
      const [{ effectiveUid }, { refuseDebugger }, { serve }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.serve(),
      ]);
      refuseDebugger(SERVER_SIGNALS);
      return serve(command, {
        ...context(effectiveUid()),
        logLevel: globalFlags.logLevel,
        logFormat: globalFlags.logFormat,
        logIsTerminal: Deno.stderr.isTerminal(),
        logColor: color.err,
        logSinks: { stderr: Deno.stderr, stdout: Deno.stdout },
        version: VERSION,
        signals,
        thread,
        self,
        startDataPlane: () => startWorker(self, "data plane"),
        startLookups: () => startWorker(self, "name service"),
        startReader: () => startWorker(self, "configuration reader"),
      });
    }
    case "connect": {
      const [{ effectiveUid }, { refuseDebugger }, { connect }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.connect(),
      ]);
      refuseDebugger([]);
      dropPermissions(command.mode.kind === "listen" ? "connect --listen" : "connect");
      return connect(command, {
        ...context(effectiveUid()),
        version: VERSION,
        self,
        errSink: Deno.stderr,
        logLevel: globalFlags.logLevel,
        logFormat: globalFlags.logFormat,
        logIsTerminal: Deno.stderr.isTerminal(),
        startLookups: () => startWorker(self, "name service"),
      });
    }
    case "status": {
      const [{ effectiveUid }, { refuseDebugger }, { status }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.status(),
      ]);
      refuseDebugger([]);
      dropPermissions("status");
      return status(command, {
        ...context(effectiveUid()),
        version: VERSION,
        self,
        errSink: Deno.stderr,
        startLookups: () => startWorker(self, "name service"),
      });
    }
    case "gen-key": {
      const [{ effectiveUid }, { refuseDebugger }, { genKey }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.genKey(),
      ]);
      refuseDebugger([]);
      dropPermissions("gen-key");
      return genKey(command, context(effectiveUid()));
    }
    case "show-key": {
      const [{ effectiveUid }, { refuseDebugger }, { showKey }] = await Promise.all([
        modules.ids(),
        modules.signals(),
        modules.genKey(),
      ]);
      refuseDebugger([]);
      dropPermissions("gen-key --show");
      return showKey(command.file, context(effectiveUid()));
    }
  }
}

/** A name that is no UTF-8, such as that of the current directory, is no bug of this program. */
function withNames(error: unknown): unknown {
  if (!(error instanceof Deno.errors.InvalidData)) return error;
  // node:process puts a stack trace behind the sentence.
  const [sentence] = error.message.replace(/^InvalidData: /, "").split("\n");
  return new Failure(`Cannot use a name: ${sentence}`, {
    exit: ExitCode.usage,
    hint: "use a name in UTF-8, such as that of a symbolic link",
    cause: error,
  });
}

/**
 * The variables the program reads; `HOME` is the caller's even where a launcher has replaced it.
 */
function environment(): Record<string, string | undefined> {
  const env = Object.fromEntries(VARIABLES.map((name) => [name, variable(name)]));
  return env.HOME === NOWHERE ? { ...env, HOME: variable("HOME", `${HIDDEN}HOME`) } : env;
}

/**
 * Reads a variable of the caller.
 *
 * @param own Its name in this process.
 * @throws {Failure} 64 for a value that is no UTF-8.
 */
function variable(name: string, own: string = name): string | undefined {
  try {
    return Deno.env.get(own);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.InvalidData)) throw cause;
    throw new Failure(`The environment variable ${name} is not UTF-8`, {
      exit: ExitCode.usage,
      hint: `unset ${name}, or use a name in UTF-8`,
      cause,
    });
  }
}

/** Whether text on standard output, and on standard error, may be coloured. */
interface ColorChoice {
  readonly out: boolean;
  readonly err: boolean;
}

/**
 * The one rule; `auto` means on a terminal that is not `dumb` (`terminfo(5)`), without `NO_COLOR`
 * (no-color.org).
 */
function colorsOf(choice: "auto" | "always" | "never"): ColorChoice {
  if (choice !== "auto") return { out: choice === "always", err: choice === "always" };
  if (forbidsColor()) return { out: false, err: false };
  return { out: Deno.stdout.isTerminal(), err: Deno.stderr.isTerminal() };
}

/** The width of the terminal that standard output is; null where it is none, or has no size. */
function terminalColumns(): number | null {
  if (!Deno.stdout.isTerminal()) return null;
  try {
    return Deno.consoleSize().columns || null;
  } catch {
    return null;
  }
}

function forbidsColor(): boolean {
  try {
    return Boolean(Deno.env.get("NO_COLOR")) || Deno.env.get("TERM") === "dumb";
  } catch {
    // One is set, to a value that is no UTF-8.
    return true;
  }
}
