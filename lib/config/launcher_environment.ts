/**
 * What a launcher does to the environment: it hides from the JavaScript runtime what a caller has said to other programs that
 * run on one, under names of its own. Whoever becomes or starts another program gives it back. Pure.
 *
 * @module
 */

/**
 * Where nothing is, and not even root can make anything: the home of the runtime, so that it reads no `.npmrc` in the
 * caller's. A place below a file would not do: only `ENOENT` is no error to it.
 */
export const NOWHERE = "/proc/ipcauth";

/** What a launcher tells the runtime instead. Where it finds a place for a cache, `DENO_DIR` is another one. */
export const SETTINGS: Readonly<Record<string, string>> = {
  HOME: NOWHERE,
  DENO_DIR: NOWHERE,
  // It would put a directory of its own at the head of PATH, where there is no `node`.
  DENO_DISABLE_NODE_SHIM: "1",
  DENO_NO_UPDATE_CHECK: "1",
};

/** The variable with the names of those that are hidden, which the launcher always sets itself: others are not believed. */
export const LIST = "IPCAUTH_KEEP";

/** What stands before the name of a hidden variable. */
export const HIDDEN = "IPCAUTH_KEEP_";

/** The names in a {@linkcode LIST}. */
export function namesIn(list: string): readonly string[] {
  return list.split(" ");
}

/**
 * The caller's own name of a variable that a launched program finds.
 *
 * @param hidden The names that are hidden.
 * @returns Null for one that the launcher has set, and that the caller knows nothing of.
 */
export function callersName(name: string, hidden: readonly string[]): string | null {
  const own = name.startsWith(HIDDEN) ? name.slice(HIDDEN.length) : null;
  if (own !== null && hidden.includes(own)) return own;
  return name === LIST || Object.hasOwn(SETTINGS, name) ? null : name;
}
