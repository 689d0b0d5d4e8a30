/**
 * A copy of the tree with all mutants in it. The checkout is never changed.
 *
 * @module
 */
import { dirname, join, relative } from "@std/path";
import { type Mutant, mutate } from "./mutants.ts";
import { ROOT } from "../build/root.ts";

/** The copy. */
export interface Tree {
  /** Holds everything. */
  readonly directory: string;
  /** The copy of the checkout. */
  readonly root: string;
  /** For the files of tests. */
  readonly temporary: string;
  /** The file with the id of the active mutant. */
  readonly active: string;
  readonly mutants: readonly Mutant[];
}

/**
 * Copies the files that git knows or would add, and puts all mutants into those that are named.
 *
 * @param directory An empty one, which the caller removes.
 */
export async function mutatedTree(directory: string, files: readonly string[]): Promise<Tree> {
  const tree = {
    directory,
    root: join(directory, "r"),
    temporary: join(directory, "t"),
    active: join(directory, "active"),
  };
  for (const path of [tree.root, tree.temporary]) await Deno.mkdir(path);
  await Deno.writeTextFile(`${tree.active}.passed`, "");
  // Programs of other users say there what they pass.
  await Deno.chmod(`${tree.active}.passed`, 0o666);
  await Deno.chmod(directory, 0o755);
  for (const path of await listFiles()) await copy(path, tree.root);
  const switchPath = join(tree.root, "tools/mutate/switch.ts");
  const switchText = await Deno.readTextFile(switchPath);
  await Deno.writeTextFile(switchPath, switchText.replace("@FILE@", tree.active));
  const mutants: Mutant[] = [];
  for (const file of files) {
    const activeModule = relative(dirname(file), "tools/mutate/switch.ts");
    const text = await Deno.readTextFile(join(ROOT, file));
    const mutated = mutate(file, text, mutants.length + 1, activeModule);
    mutants.push(...mutated.mutants);
    await Deno.writeTextFile(join(tree.root, file), mutated.text);
  }
  return { ...tree, mutants };
}

async function listFiles(): Promise<string[]> {
  const { stdout, success } = await new Deno.Command("git", {
    args: ["-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("git ls-files failed");
  return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
}

async function copy(path: string, root: string): Promise<void> {
  const from = join(ROOT, path);
  const to = join(root, path);
  await Deno.mkdir(dirname(to), { recursive: true });
  try {
    const status = await Deno.lstat(from);
    if (status.isSymlink) await Deno.symlink(await Deno.readLink(from), to);
    else await Deno.copyFile(from, to);
  } catch (error) {
    // A file that git knows may have been removed.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
