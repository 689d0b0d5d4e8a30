/**
 * The scripts of the executable: one for each group of commands, for each kind of thread, and for a
 * library that few commands use. The time to start grows with the text that V8 reads (27 µs a KB).
 *
 * A script is the text of a function, which the loader calls (`loader.ts`).
 */
import { fromFileUrl, join } from "@std/path";
import type { ThreadName } from "../../../lib/reactor/worker_thread.ts";
import { type Commit, withCommit } from "../commit.ts";
import { withoutProcess } from "../node_require.ts";
import { runProgram } from "../run_program.ts";
import { ROOT } from "../root.ts";

/** The scripts of commands, each named after its module in `entries/`. */
export type ScriptName = "whole" | "info" | "run_as" | "files" | "connect" | "serve";

/** The other scripts that one of these needs. */
type PartName = ThreadName | "yaml";

/** What the script of a command needs beside itself: those of its threads and libraries. */
const PARTS: Readonly<Record<ScriptName, readonly PartName[]>> = {
  whole: ["data plane", "name service", "tunnel", "yaml"],
  info: [],
  run_as: [],
  files: ["yaml"],
  connect: ["name service", "tunnel", "yaml"],
  serve: ["data plane", "name service", "yaml"],
};

const ENTRIES = fromFileUrl(new URL("entries/", import.meta.url));

/** The variables that turn on the debugging output of the package `yaml`. */
const YAML_DEBUGGING = /(?<![\w$])[\w$]+\.env\.LOG_(?:TOKENS|STREAM)\b/g;

/** The script of a command, and behind it those that it needs, by their names. */
export type ScriptSet = ReadonlyMap<string, string>;

/**
 * Builds the scripts of all commands.
 *
 * @param work A directory for what the bundler writes.
 * @throws {Error} With the bundler's message.
 */
export async function buildScripts(
  from: Commit,
  work: string,
): Promise<Readonly<Record<ScriptName, ScriptSet>>> {
  const commands = Object.keys(PARTS) as ScriptName[];
  const names = [...new Set([...commands, ...Object.values(PARTS).flat()])];
  const texts = new Map(
    await Promise.all(names.map(async (name) => [name, await script(name, work)] as const)),
  );
  const ofCommand = (name: ScriptName): ScriptSet => {
    const text = texts.get(name)!;
    const stamped = withCommit(text, from.hash);
    if (!stamped.includes(`commit:"${from.hash}"`)) throw new Error("a script has no commit");
    const parts = PARTS[name].map((part) => [part, texts.get(part)!] as const);
    return new Map([[name, stamped], ...parts]);
  };
  return Object.fromEntries(commands.map((name) => [name, ofCommand(name)])) as Record<
    ScriptName,
    ScriptSet
  >;
}

/** Builds a script. */
async function script(name: ScriptName | PartName, work: string): Promise<string> {
  const file = name.replace(" ", "_");
  const output = join(work, `${file}.cjs`);
  const flags = ["--quiet", "--minify", "--format=cjs", ...name === "yaml" ? [] : EXTERNAL];
  await runProgram(
    Deno.execPath(),
    ["bundle", ...flags, "--output", output, join(ENTRIES, `${file}.ts`)],
    ROOT,
  );
  const body = withoutProcess(await Deno.readTextFile(output)).replaceAll(YAML_DEBUGGING, "void 0");
  const text = `(function(require,scriptUrl,argv,module){${body}})`;
  // Throws where the text is no JavaScript, which would be seen only when a script is run.
  new Function(`return ${text}`);
  // V8 keeps other texts with two bytes a character, and the stub ends one at a zero byte.
  // deno-lint-ignore no-control-regex
  if (!/^[\x01-\x7f]*$/.test(text)) throw new Error(`the script ${name} is not ASCII`);
  return text;
}

/** Scripts get these by `require`. */
const EXTERNAL = ["--external", "yaml"];
