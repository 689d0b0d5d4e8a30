/** The program, or a part of it, as one JavaScript file that contains the commit. */
import { join } from "@std/path";
import { type Commit, withCommit } from "./commit.ts";
import { withNodeRequire, withoutProcess } from "./node_require.ts";
import { denoBundle } from "./deno_bundle.ts";
import { ROOT } from "./root.ts";

/**
 * Builds the file. It contains both planes, because the program starts its own file as a Worker.
 * Its bytes are the same on every machine, and its modification time is the commit's.
 *
 * @param path The output.
 * @param entry The path of the entry module.
 * @throws {Error} With the bundler's message, or where the bundle has no version to put the commit
 * beside.
 */
export async function singleFile(
  path: string,
  { hash, time }: Commit,
  entry = join(ROOT, "main.ts"),
): Promise<void> {
  await denoBundle(["--output", path, entry]);
  const text = withNodeRequire(await Deno.readTextFile(path));
  const stamped = withCommit(withoutProcess(text), hash);
  if (!stamped.includes(`commit:"${hash}"`)) {
    throw new Error("the bundle has no place for a commit");
  }
  await Deno.writeTextFile(path, stamped);
  await Deno.utime(path, time, time);
}
