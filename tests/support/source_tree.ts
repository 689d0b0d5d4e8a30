/** A second tree of the sources, so that a build can be made elsewhere and by somebody else. */
import { fromFileUrl, join } from "@std/path";
import { run } from "../../tools/build/commit.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** What builds are made of. */
const PARTS = ["main.ts", "lib", "examples", "tools", "deno.json", "deno.lock"];

/** Copies the sources into a new directory. */
export async function copyTree(to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  const documents = [...Deno.readDirSync(ROOT)].filter(({ name, isFile }) =>
    isFile && /^[A-Z-]+(\.md)?$/.test(name)
  ).map(({ name }) => name);
  await run("cp", ["-r", ...[...PARTS, ...documents].map((name) => join(ROOT, name)), to], ROOT);
}

/** How a script is run. */
export interface ScriptOptions {
  /** The file mode creation mask, octal. */
  readonly umask: string;
  /** `HOME`; the packages that are there already are used all the same. */
  readonly home: string;
}

/**
 * Runs TypeScript at the root of a tree.
 *
 * @throws {Error} With what it complained about.
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
  const rights = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", "--allow-sys"];
  await run("env", [
    ...[`HOME=${home}`, `DENO_DIR=${cache}`, "sh", "-c", 'umask "$0" && exec "$@"', umask],
    ...[Deno.execPath(), "run", "--quiet", ...rights, script, ...args],
  ], tree);
}
