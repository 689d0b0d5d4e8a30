/**
 * Builds `dist/ipcauth`: one executable script that needs nothing but `deno` on PATH.
 *
 * The first lines are a shell script to a shell and a comment to JavaScript. They start `deno` with the
 * program's rights, tell it where there is no home to keep a cache in (it starts without one then), and
 * say in a line what `deno` would say in a stack trace: that the current directory was removed.
 */
import { dirname, fromFileUrl, join } from "@std/path";
import { PERMISSION_FLAGS } from "../lib/cli/permissions.ts";
import { NO_CACHE } from "../lib/config/locate.ts";
import { type Commit, commit, withCommit } from "./commit.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));

const HEADER = [
  `[ . -ef "$PWD" ] || { echo "ipcauth: error: The current directory is gone" >&2; ` +
  `echo "hint: cd /" >&2; [ "$1" = run-as ] && exit 125; exit 71; }`,
  `[ -n "$DENO_DIR" ] || [ -w "$HOME/.cache" ] || [ -w "\${HOME:-/nonexistent}" ] || ` +
  `export ${NO_CACHE.name}=${NO_CACHE.value}`,
  "exec deno run --quiet --no-config --no-lock --no-remote --no-npm --no-code-cache --ext=js " +
  `${PERMISSION_FLAGS.join(" ")} "$0" "$@"`,
].reduce((header, command) => `${header}":" //; ${command}\n`, "#!/bin/sh\n");

/**
 * Builds the script.
 *
 * @param path Where to.
 * @param from The commit that it is to name, if any.
 * @throws {Error} With what the bundler said.
 */
export async function bundle(path: string, from?: Commit): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const body = `${path}.js`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--output", body, join(ROOT, "main.ts")],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const text = await Deno.readTextFile(body);
  await Deno.writeTextFile(path, HEADER + (from ? withCommit(text, from.hash) : text));
  await Deno.chmod(path, 0o755);
  await Deno.remove(body);
}

if (import.meta.main) {
  const path = join(ROOT, "dist", "ipcauth");
  await bundle(path, await commit(ROOT));
  console.log(`built ${path}`);
}
