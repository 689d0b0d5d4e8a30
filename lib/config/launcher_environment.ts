/**
 * The environment that a launcher gives the JavaScript runtime. It renames variables by which the
 * caller configures other programs of the same runtime, so that they do not configure this one.
 * `run-as` and `exec` give them back to the programs they start. Pure.
 *
 * @module
 */

/**
 * A path that does not exist and that not even root can make: the home of the runtime, so that it
 * reads no `.npmrc` in the caller's home. A path below a file would not do, because the runtime
 * ignores `ENOENT` alone.
 */
export const NOWHERE = "/proc/ipcauth";

/**
 * The variables that a launcher sets. Where it finds a directory for a cache, `DENO_DIR` names it.
 */
export const SETTINGS: Readonly<Record<string, string>> = {
  HOME: NOWHERE,
  DENO_DIR: NOWHERE,
  // The runtime would put a directory of its own at the head of PATH, where there is no `node`.
  DENO_DISABLE_NODE_SHIM: "1",
  DENO_NO_UPDATE_CHECK: "1",
  // Without a directory for its caches the runtime would say so, twice, on a terminal.
  DENO_LOG: "error,deno::cache::cache_db=off",
};

/**
 * The variable with the names of the hidden ones. The launcher always sets it, so that a value of
 * the caller has no effect.
 */
export const LIST = "IPCAUTH_KEEP";

/**
 * The variable with the soft limit of open files that the caller had, which the runtime raises:
 * digits, or `unlimited`. A launcher sets it for `serve` and `run-as`.
 */
export const FILE_LIMIT = "IPCAUTH_FILE_LIMIT";

/** The prefix of a hidden variable. */
export const HIDDEN = "IPCAUTH_KEEP_";

/** The names in a {@linkcode LIST}. */
export function namesIn(list: string): readonly string[] {
  return list.split(" ");
}

/**
 * The name that a variable of this process had in the environment of the caller.
 *
 * @param name The variable's name in this process.
 * @param hidden The names of the hidden variables, as in {@linkcode LIST}.
 * @returns Null for a variable that the launcher has set.
 */
export function callersName(name: string, hidden: readonly string[]): string | null {
  const own = name.startsWith(HIDDEN) ? name.slice(HIDDEN.length) : null;
  if (own !== null && hidden.includes(own)) return own;
  return name === LIST || name === FILE_LIMIT || Object.hasOwn(SETTINGS, name) ? null : name;
}
