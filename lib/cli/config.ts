/**
 * `ipcauth config`: check, show and describe the configuration.
 *
 * @module
 */
import { configText, configValues } from "../config/config_text.ts";
import { serverSocket } from "../config/default_paths.ts";
import { jsonSchema } from "../config/json_schema.ts";
import { badConfig } from "../config/schema.ts";
import type { Config } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { paint } from "../text/paint.ts";
import type { ConfigAction } from "./config_action.ts";
import { asProblem, checkConfigText, programWarnings } from "./config_check.ts";
import type { Context } from "./context.ts";
import { UsersConfig } from "./users_config.ts";
import { jsonLine } from "./users_report.ts";

/**
 * Runs an action.
 *
 * @param json Whether the answer is JSON on standard output, also where it is that the file is bad.
 * @returns 0; of `check` with `json`, 78 for a bad configuration.
 * @throws {Failure} 78 for a bad configuration, with a line for each problem.
 */
export function config(action: ConfigAction, json: boolean, context: Context): ExitCode {
  if (action.verb === "schema") return schema(context);
  if (action.verb === "show") return show(json, context);
  const named = action.file === null ? context : { ...context, config: action.file };
  return json ? checkAsJson(named) : check(named);
}

/** Prints it, with and without `--json` alike: it is JSON. */
function schema({ out }: Context): ExitCode {
  out(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return ExitCode.ok;
}

function check(context: Context): ExitCode {
  const places = new UsersConfig(context);
  const file = places.read();
  const found = checkConfigText(file, places.hostFacts);
  const problems = [...found.problems, ...found.keyProblems];
  for (const warning of warningsOf(found, places)) context.err(`ipcauth: warning: ${warning}\n`);
  if (problems.length > 0) throw badConfig(file!.path, problems);
  places.noteOwner(context);
  context.out(
    file === null
      ? "there is no configuration: the server's own user and root get in, and no other user\n"
      : `${escapeForTerminal(file.path)}: ${
        paint("no problem found", "green", context.view().color)
      }\n`,
  );
  return ExitCode.ok;
}

function checkAsJson(context: Context): ExitCode {
  const places = new UsersConfig(context);
  let path: string | null = null;
  let problems: object[];
  let warnings: readonly string[] = [];
  try {
    const file = places.read();
    path = file?.path ?? null;
    const found = checkConfigText(file, places.hostFacts);
    warnings = warningsOf(found, places);
    problems = [...found.problems, ...found.keyProblems].map((
      { at: { line, column }, key, what, hint },
    ) => ({
      line,
      column,
      key,
      what,
      hint: hint ?? null,
    }));
  } catch (error) {
    const { key, what, hint } = asProblem(error);
    path = places.editPath();
    problems = [{ line: null, column: null, key, what, hint: hint ?? null }];
  }
  context.out(jsonLine({ path, problems, warnings }));
  return problems.length === 0 ? ExitCode.ok : ExitCode.config;
}

function warningsOf(
  { config, problems, warnings }: ReturnType<typeof checkConfigText>,
  { hostFacts }: UsersConfig,
): readonly string[] {
  return problems.length > 0 ? warnings : [...warnings, ...programWarnings(config, hostFacts)];
}

function show(json: boolean, context: Context): ExitCode {
  const found = new UsersConfig(context).parse();
  context.out(
    json ? jsonLine({ path: found.path, ...configValues(found) }) : commentsPainted(
      `# ${found.path ?? "there is no configuration file"}; with every default\n` +
        listenerNote(found, context),
      context,
    ) + configText(found),
  );
  return ExitCode.ok;
}

/** Comments in their colour. */
function commentsPainted(lines: string, context: Context): string {
  const { color } = context.view();
  return lines.replaceAll(/^.+$/gm, (line) => paint(escapeForTerminal(line), "cyan", color));
}

/** What is served where the file names no listener. */
function listenerNote({ listeners }: Config, { environment }: Context): string {
  if (listeners !== null) return "";
  try {
    return `# no listeners: a server has a console on ${serverSocket(environment)}\n`;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return "# no listeners: XDG_RUNTIME_DIR is not set, so there is no default socket\n";
  }
}
