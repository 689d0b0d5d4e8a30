/**
 * What the one executable is started with: each right by name, never all of them.
 *
 * @module
 */
import { VARIABLES } from "../config/default_paths.ts";
import { HIDDEN, LIST } from "../config/launcher_environment.ts";
import { LIBC_PATHS } from "../libc/paths.ts";

/** Read by the `yaml` package when it parses; they switch on its own debugging output. */
const YAML_VARIABLES = ["LOG_STREAM", "LOG_TOKENS"];

/** Read by the program itself; the home is where the configuration and the keys of a user lie. */
const OWN_VARIABLES = [...VARIABLES, `${HIDDEN}HOME`, LIST];

/** What can be given up one by one. Whatever is not here, the program was never started with. */
export type Permission = "read" | "write" | "ffi";

const PERMISSIONS: readonly Permission[] = ["read", "write", "ffi"];

const FLAGS: Readonly<Record<Permission, string>> = {
  read: "--allow-read",
  write: "--allow-write",
  ffi: `--allow-ffi=${[...new Set(Object.values(LIBC_PATHS).flat())].join(",")}`,
};

/**
 * The flags of `deno run` for a program that may do some of it. Every one reads its environment.
 *
 * Reading and writing are not narrowed to paths here, because the configuration, the socket and the key
 * lie wherever the command line says; the network, other programs and every other library stay closed.
 * What was given up stays so: at a terminal, too, nobody is asked for it.
 */
export function permissionFlags(rights: readonly Permission[]): readonly string[] {
  const variables = [...OWN_VARIABLES, ...rights.includes("read") ? YAML_VARIABLES : []].sort();
  const flags = PERMISSIONS.filter((right) => rights.includes(right)).map((right) => FLAGS[right]);
  return [...flags, `--allow-env=${variables.join(",")}`, "--no-prompt"];
}

/** The flags of `deno run` for the whole program. */
export const PERMISSION_FLAGS: readonly string[] = permissionFlags(PERMISSIONS);

/** What the program may be asked to do, as far as its rights are concerned. */
export type CommandMode =
  | "version"
  | "help"
  | "completions"
  | "run-as"
  | "gen-key"
  | "gen-key --show"
  | "users"
  | "users edit"
  | "connect"
  | "connect --listen"
  | "serve";

/** What each keeps; the rest is given up before a file, a socket or a configuration is looked at. */
export const KEPT_PERMISSIONS: Readonly<Record<CommandMode, readonly Permission[]>> = {
  "version": [],
  "help": [],
  "completions": [],
  // Becoming somebody and becoming the program are calls of the C library, and nothing else is done.
  "run-as": ["ffi"],
  "gen-key": ["ffi", "read", "write"],
  "gen-key --show": ["ffi", "read"],
  "users": ["ffi", "read"],
  "users edit": ["ffi", "read", "write"],
  "connect": ["ffi", "read"],
  // It removes its socket at the end.
  "connect --listen": ["ffi", "read", "write"],
  "serve": ["ffi", "read", "write"],
};

/**
 * Gives up, for good, what a task does not need (`Deno.permissions.revoke`). Workers that are started afterwards have
 * no more than what is left. The environment has been read by then, and goes, too, but for two names that
 * the `yaml` package asks for whenever it parses.
 */
export function dropPermissions(task: CommandMode): void {
  const kept = KEPT_PERMISSIONS[task];
  for (const name of PERMISSIONS) {
    if (!kept.includes(name)) Deno.permissions.revokeSync({ name });
  }
  for (const variable of OWN_VARIABLES) Deno.permissions.revokeSync({ name: "env", variable });
  if (kept.includes("read")) return;
  for (const variable of YAML_VARIABLES) Deno.permissions.revokeSync({ name: "env", variable });
}
