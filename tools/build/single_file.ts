/** The program, or a part of it, as one file of JavaScript with the commit in it. */
import { fromFileUrl, join } from "@std/path";
import { type Commit, run, withCommit } from "./commit.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/**
 * Builds the file. It holds both planes, because the program starts itself as a Worker, and nothing of the machine
 * that it was built on; its time is the commit's.
 *
 * @param path Where to.
 * @param entry The module that it begins with.
 * @throws {Error} With what the bundler said, or where there is no place for the commit.
 */
export async function singleFile(
  path: string,
  { hash, time }: Commit,
  entry = join(ROOT, "main.ts"),
): Promise<void> {
  const argv = ["bundle", "--quiet", "--minify", "--output", path, entry];
  await run(Deno.execPath(), argv, ROOT);
  const text = await Deno.readTextFile(path);
  // Whoever touches `process` starts all of Node's compatibility, and gets the same answer.
  const stamped = withCommit(text.replaceAll(".process?.platform", ".Deno?.build?.os"), hash);
  if (!stamped.includes(`commit:"${hash}"`)) {
    throw new Error("the bundle has no place for a commit");
  }
  await Deno.writeTextFile(path, stamped);
  await Deno.utime(path, time, time);
}
