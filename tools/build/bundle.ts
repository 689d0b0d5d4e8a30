/**
 * Builds `dist/ipcauth`: one executable script that needs nothing but `deno` on PATH.
 *
 * The first lines are commands to a shell and comments to JavaScript. They start `deno` with the
 * program's permissions, and report in two lines what would otherwise be a stack trace.
 */
import { dirname, join } from "@std/path";
import { NOWHERE } from "../../lib/config/launcher_environment.ts";
import { type Commit, readCommit, withCommit } from "./commit.ts";
import {
  CHECK_DIRECTORY,
  CHECK_SYSTEM,
  FAIL_FUNCTION,
  hideVariables,
  PREPARE_FUNCTION,
  RUN_PROGRAM,
  UNSET_OWN_VARIABLES,
} from "./launcher.ts";
import { withNodeRequire } from "./node_require.ts";
import { denoBundle } from "./deno_bundle.ts";
import { DIST, ROOT } from "./root.ts";

/**
 * Chooses the runtime's cache. Analysing a file of this size takes half of the start, so the result
 * is cached where `deno` would cache it, provided that the directory, or else its nearest existing
 * parent of two, is owned by the caller. In a directory of another user, that user could have
 * written the entries. A missing home directory is not created.
 */
const CACHE = [
  `ipcauth_cache=\${DENO_DIR:-\${XDG_CACHE_HOME:-\${HOME:-${NOWHERE}}/.cache}/deno}; ` +
  "ipcauth_place=$ipcauth_cache",
  '[ -e "$ipcauth_place/" ] || ipcauth_place=${ipcauth_place%/*}; ' +
  '[ -e "$ipcauth_place/" ] || ipcauth_place=${ipcauth_place%/*}',
  'case $ipcauth_cache in /*) [ -O "$ipcauth_place/" ] && [ -w "$ipcauth_place/" ] ;; ' +
  `*) false ;; esac || ipcauth_cache=${NOWHERE}`,
];

const HEADER = [
  UNSET_OWN_VARIABLES,
  PREPARE_FUNCTION,
  FAIL_FUNCTION,
  CHECK_SYSTEM,
  CHECK_DIRECTORY,
  `command -v deno >/dev/null || ipcauth_fail "There is no deno on PATH" ` +
  `"npm install --global deno, or take the portable build, which needs none" "$@"`,
  ...CACHE,
  ...hideVariables('"$ipcauth_cache"'),
  `exec deno ${RUN_PROGRAM} --ext=js "$0" "$@"`,
].reduce((header, command) => `${header}":" //; ${command}\n`, "#!/bin/sh\n");

/**
 * Builds the script.
 *
 * @param path The output; its directory is made.
 * @param from The commit that `--version` names, if any.
 * @throws {Error} With the bundler's message.
 */
export async function bundle(path: string, from?: Commit): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const body = `${path}.js`;
  await denoBundle(["--output", body, join(ROOT, "main.ts")]);
  const text = withNodeRequire(await Deno.readTextFile(body));
  await Deno.writeTextFile(path, HEADER + (from ? withCommit(text, from.hash) : text));
  await Deno.chmod(path, 0o755);
  await Deno.remove(body);
}

if (import.meta.main) {
  const path = join(DIST, "ipcauth");
  await bundle(path, await readCommit(ROOT));
  console.log(`built ${path}`);
}
