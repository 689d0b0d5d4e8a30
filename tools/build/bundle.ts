/**
 * Builds `dist/ipcauth`: one executable script that needs nothing but `deno` on PATH.
 *
 * The first lines are a shell script to a shell and a comment to JavaScript. They start `deno` with the
 * program's rights, and say in a line what would otherwise be a stack trace, or nothing.
 */
import { dirname, fromFileUrl, join } from "@std/path";
import { NOWHERE } from "../../lib/config/launcher_environment.ts";
import { type Commit, commit, withCommit } from "./commit.ts";
import { DEMAND_DIRECTORY, FAIL, hideVariables, OWN_VARIABLES, RUN } from "./launcher.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/**
 * What the runtime finds out about so long a file takes as long as all the rest, so it is kept where the caller would keep
 * it: if that directory, or else the nearest one on the way there, is the caller's own. Elsewhere, somebody else
 * could have prepared it. A home that does not exist is not made.
 */
const CACHE = [
  `ipcauth_cache=\${DENO_DIR:-\${XDG_CACHE_HOME:-\${HOME:-${NOWHERE}}/.cache}/deno}; ipcauth_place=$ipcauth_cache`,
  '[ -e "$ipcauth_place/" ] || ipcauth_place=${ipcauth_place%/*}; [ -e "$ipcauth_place/" ] || ipcauth_place=${ipcauth_place%/*}',
  `case $ipcauth_cache in /*) [ -O "$ipcauth_place/" ] && [ -w "$ipcauth_place/" ] ;; *) false ;; esac || ipcauth_cache=${NOWHERE}`,
];

const HEADER = [
  OWN_VARIABLES,
  FAIL,
  DEMAND_DIRECTORY,
  `command -v deno >/dev/null || ipcauth_fail "There is no deno on PATH" ` +
  `"npm install --global deno, or take the portable build, which needs none" "$@"`,
  ...CACHE,
  ...hideVariables('"$ipcauth_cache"'),
  `exec deno ${RUN} --ext=js "$0" "$@"`,
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
