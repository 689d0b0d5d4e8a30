/** Makes the executable for a machine. */
import { SETTINGS } from "../../../lib/config/launcher_environment.ts";
import { GLOBAL_FLAGS } from "../../../lib/cli/command_line.ts";
import type { Commit } from "../commit.ts";
import type { Machine } from "../elf.ts";
import { RUN_AS, RUN_INFO, RUN_PROGRAM } from "../launcher.ts";
import { RUNTIME_VARIABLES } from "../runtime_variables.ts";
import { compileStub } from "./compile_stub.ts";
import { graft } from "./graft.ts";
import { loaderUrl } from "./loader.ts";
import { buildScripts, type ScriptName } from "./scripts.ts";
import type { Payload } from "./stub_config.ts";

/** The first arguments that select a script. Other arguments, or none, select `whole`. */
const WORDS: readonly (readonly [word: string, script: ScriptName])[] = [
  ["run-as", "run_as"],
  ["--version", "info"],
  ["-V", "info"],
  ["--help", "info"],
  ["-h", "info"],
  ["help", "info"],
  ["completions", "info"],
  ["users", "files"],
  ["groups", "files"],
  ["keys", "files"],
  ["config", "files"],
  ["gen-key", "files"],
  ["connect", "connect"],
  ["status", "connect"],
  ["serve", "serve"],
];

/** The arguments that the runtime gets before a script. */
const FLAGS: Readonly<Record<ScriptName, string>> = {
  whole: RUN_PROGRAM,
  info: RUN_INFO,
  run_as: RUN_AS,
  files: RUN_PROGRAM,
  connect: RUN_PROGRAM,
  serve: RUN_PROGRAM,
};

/** Builds all scripts, and what selects each. */
export async function buildPayloads(from: Commit, work: string): Promise<readonly Payload[]> {
  const scripts = await buildScripts(from, work);
  const payload = (word: string, name: ScriptName): Payload => ({
    word,
    // Without a user it is a usage error, which the whole program reports.
    needsOperand: name === "run_as",
    // These use neither Node's compatibility layer nor Workers.
    needsProc: name !== "run_as" && name !== "info" && !["users", "groups"].includes(word),
    argv: [...FLAGS[name].split(" "), loaderUrl(scripts[name])],
    scripts: [...scripts[name].values()].flat(),
  });
  return [payload("", "whole"), ...WORDS.map(([word, name]) => payload(word, name))];
}

/** Makes the executable from a runtime. @param work A directory for what compilers write. */
export async function makeExecutable(
  machine: Machine,
  runtime: Uint8Array,
  payloads: readonly Payload[],
  work: string,
): Promise<Uint8Array> {
  const stub = await compileStub(machine, work);
  const valued = GLOBAL_FLAGS.values.map((name) => `--${name}`);
  const config = { hidden: RUNTIME_VARIABLES, settings: SETTINGS, valued, payloads };
  return graft(runtime, stub, config);
}
