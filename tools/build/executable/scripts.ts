/**
 * The scripts of the executable: one for each group of commands, for each kind of thread, and for a
 * library that few commands use. The time to start grows with the text that V8 reads (27 µs a KB).
 *
 * Code that is imported by `import()` is a part of its own, which is read when it is needed.
 */
import { fromFileUrl, join } from "@std/path";
import type { ThreadName } from "../../../lib/reactor/worker_thread.ts";
import { type Commit, withCommit } from "../commit.ts";
import { withoutProcess } from "../node_require.ts";
import { denoBundle } from "../deno_bundle.ts";

/** The scripts of commands, each named after its module in `entries/`. */
export type ScriptName = "whole" | "info" | "run_as" | "files" | "connect" | "serve";

/** The other scripts that one of these needs. */
type PartName = ThreadName | "yaml";

/** What the script of a command needs beside itself: those of its threads and libraries. */
const PARTS: Readonly<Record<ScriptName, readonly PartName[]>> = {
  whole: ["data plane", "name service", "configuration reader", "tunnel", "yaml"],
  info: [],
  run_as: [],
  files: ["yaml"],
  connect: ["name service", "tunnel", "yaml"],
  serve: ["data plane", "name service", "configuration reader", "yaml"],
};

const ENTRIES = fromFileUrl(new URL("entries/", import.meta.url));

/** The variables that turn on the debugging output of the package `yaml`. */
const YAML_DEBUGGING = /(?<![\w$])[\w$]+\.env\.LOG_(?:TOKENS|STREAM)\b/g;

/**
 * A script: the texts of its parts, of which the first is evaluated at once. Each is a function,
 * which the loader calls (`loader.ts`).
 */
export type Script = readonly string[];

/** The script of a command, and behind it those that it needs, by their names. */
export type ScriptSet = ReadonlyMap<string, Script>;

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
  const scripts = new Map(
    await Promise.all(names.map(async (name) => [name, await script(name, work)] as const)),
  );
  const ofCommand = (name: ScriptName): ScriptSet => {
    const own = scripts.get(name)!.map((part) => withCommit(part, from.hash));
    if (!own.some((part) => part.includes(`commit:"${from.hash}"`))) {
      throw new Error("a script has no commit");
    }
    return new Map([
      [name, own],
      ...PARTS[name].map((part) => [part, scripts.get(part)!] as const),
    ]);
  };
  return Object.fromEntries(commands.map((name) => [name, ofCommand(name)])) as Record<
    ScriptName,
    ScriptSet
  >;
}

/** What the names of parts begin with while the bundler translates them. */
const PART = "ipcauth-part/";

/** Builds a script. Threads and libraries need all that they import, so they are one part. */
async function script(name: ScriptName | PartName, work: string): Promise<Script> {
  if (name in PARTS) return await splitScript(name as ScriptName, work);
  const file = name.replace(" ", "_");
  const output = join(work, `${file}.cjs`);
  const external = name === "yaml" ? [] : ["--external", "yaml"];
  await denoBundle(["--format=cjs", ...external, "--output", output, join(ENTRIES, `${file}.ts`)]);
  return [partText(name, await Deno.readTextFile(output))];
}

/** Builds the script of a command: what is imported by `import()` in parts of its own. */
async function splitScript(file: ScriptName, work: string): Promise<Script> {
  const [split, renamed, translated] = ["split", "renamed", "translated"]
    .map((step) => join(work, step, file)) as [string, string, string];
  const external = ["--external", "yaml"];
  await denoBundle([
    ...external,
    "--code-splitting",
    "--outdir",
    split,
    join(ENTRIES, `${file}.ts`),
  ]);
  const files = (await Array.fromAsync(Deno.readDir(split))).map((one) => one.name).toSorted();
  await Deno.mkdir(renamed, { recursive: true });
  for (const one of files) {
    const text = await Deno.readTextFile(join(split, one));
    const others = files.reduce((all, to) => all.replaceAll(`"./${to}"`, `"${PART}${to}"`), text);
    await Deno.writeTextFile(join(renamed, one), others);
  }
  const parts = files.map((one) => join(renamed, one));
  const format = ["--format=cjs", "--external", `${PART}*`, ...external];
  await denoBundle([...format, "--outdir", translated, ...parts]);
  const texts = files.map(async (one) => [one, await Deno.readTextFile(join(translated, one))]);
  return numbered(`${file}.js`, new Map(await Promise.all(texts) as [string, string][]))
    .map((body) => partText(file, body));
}

/**
 * Names parts by their numbers. The bundler's names depend on the directories of the sources, so
 * another machine would build other bytes.
 *
 * @param entry The name of the first part.
 * @param texts The parts by their names.
 * @returns The texts, in the order in which they name each other.
 */
function numbered(entry: string, texts: ReadonlyMap<string, string>): readonly string[] {
  const reference = new RegExp(`"${PART}([^"]+)"`, "g");
  const order = new Set([entry]);
  // A set yields also what is added meanwhile.
  for (const name of order) {
    for (const [, other] of texts.get(name)!.matchAll(reference)) order.add(other!);
  }
  const numbers = new Map([...order].map((name, number) => [name, number]));
  return [...order].map((name) =>
    texts.get(name)!
      .replaceAll(`import("${PART}`, `load("${PART}`)
      .replaceAll(reference, (_, other: string) => String(numbers.get(other)))
  );
}

/** Makes the function of a part. */
function partText(name: string, body: string): string {
  const program = withoutProcess(body).replaceAll(YAML_DEBUGGING, "void 0");
  const text = `(function(require,load,scriptUrl,argv,module){${program}})`;
  // Throws where the text is no JavaScript, which would be seen only when a script is run.
  new Function(`return ${text}`);
  if (/\bimport\(|\bcreateRequire\b/.test(text)) {
    throw new Error(`the script ${name} imports more than its parts`);
  }
  // V8 keeps other texts with two bytes a character, and the stub ends one at a zero byte.
  // deno-lint-ignore no-control-regex
  if (!/^[\x01-\x7f]*$/.test(text)) throw new Error(`the script ${name} is not ASCII`);
  return text;
}
