/**
 * The scripts of the executable: one for each group of commands, because the time to start grows
 * with the text that is read.
 *
 * A script is a `data:` URL (RFC 2397) of a module with one long string, which it evaluates. The
 * runtime reads a module with a parser of its own before V8 does, which takes three times as long;
 * in the string, only V8 reads the program.
 */
import { fromFileUrl, join } from "@std/path";
import { type Commit, withCommit } from "../commit.ts";
import { withoutProcess } from "../node_require.ts";
import { runProgram } from "../run_program.ts";
import { ROOT } from "../root.ts";

/** The scripts, each named after its module in `entries/`. */
export type ScriptName = "whole" | "info" | "run_as" | "files" | "connect" | "serve";

const ENTRIES = fromFileUrl(new URL("entries/", import.meta.url));

/**
 * What a script gets instead of `require`. A module of Node is loaded when a value of it is used,
 * because the start of Node's compatibility layer takes longer than the rest of the program's.
 * Functions of `process` are methods; other modules hold classes, which are passed as they are.
 */
const LAZY_BUILTIN = `(name) => new Proxy({}, {
  get(_, key) {
    const module = globalThis.process.getBuiltinModule(name);
    const value = module[key];
    return name === "node:process" && typeof value === "function" ? value.bind(module) : value;
  },
})`;

/** The variables that turn on the debugging output of the package `yaml`. */
const YAML_DEBUGGING = /(?<![\w$])[\w$]+\.env\.LOG_(?:TOKENS|STREAM)\b/g;

/**
 * Builds the module of a script.
 *
 * @param work A directory for what the bundler writes.
 * @returns Its text.
 * @throws {Error} With the bundler's message.
 */
export async function scriptModule(name: ScriptName, from: Commit, work: string): Promise<string> {
  const output = join(work, `${name}.cjs`);
  const argv = ["bundle", "--quiet", "--minify", "--format=cjs", "--output", output];
  await runProgram(Deno.execPath(), [...argv, join(ENTRIES, `${name}.ts`)], ROOT);
  const text = withCommit(withoutProcess(await Deno.readTextFile(output)), from.hash)
    .replaceAll(YAML_DEBUGGING, "void 0");
  if (!text.includes(`commit:"${from.hash}"`)) throw new Error("a script has no commit");
  // Throws where the text is no JavaScript, which would be seen only when a script is run.
  new Function("require", "scriptUrl", text);
  const program = `(function(require,scriptUrl){${text}})`;
  return `(0,eval)(${JSON.stringify(program)})(${LAZY_BUILTIN},import.meta.url);\n`;
}

/** A module as a `data:` URL. */
export function scriptUrl(module: string): string {
  return `data:text/javascript;base64,${new TextEncoder().encode(module).toBase64()}`;
}
