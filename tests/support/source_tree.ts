/** A copy of the sources, for builds in another directory and with another umask and HOME. */
import { fromFileUrl, join } from "@std/path";
import { runProgram } from "../../tools/build/run_program.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** The files and directories that builds are made of, beside the documents of the root. */
const PARTS = ["main.ts", "lib", "docs", "examples", "tools", "deno.json", "deno.lock"];

/** Copies the sources into a new directory. */
export async function copyTree(to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  const documents = [...Deno.readDirSync(ROOT)].filter(({ name, isFile }) =>
    isFile && /^[A-Z-]+(\.md)?$/.test(name)
  ).map(({ name }) => name);
  await runProgram(
    "cp",
    ["-r", ...[...PARTS, ...documents].map((name) => join(ROOT, name)), to],
    ROOT,
  );
}

/** The environment of a script. */
export interface ScriptOptions {
  /** The file mode creation mask, octal. */
  readonly umask: string;
  /** `HOME`. The cached packages of this process are used. */
  readonly home: string;
}

/**
 * Runs a TypeScript program in the root directory of a tree.
 *
 * @throws {Error} Where it fails, with its standard error.
 */
export async function runScript(
  tree: string,
  text: string,
  args: readonly string[],
  { umask, home }: ScriptOptions,
): Promise<void> {
  const script = join(tree, "script.ts");
  await Deno.writeTextFile(script, text);
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const permissions = [
    "--allow-read",
    "--allow-write",
    "--allow-run",
    "--allow-env",
    "--allow-sys",
  ];
  await runProgram("env", [
    ...[`HOME=${home}`, `DENO_DIR=${cache}`, "sh", "-c", 'umask "$0" && exec "$@"', umask],
    ...[Deno.execPath(), "run", "--quiet", ...permissions, script, ...args],
  ], tree);
}
