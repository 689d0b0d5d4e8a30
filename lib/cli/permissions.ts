/**
 * The Deno permissions that the program is started with, and those that each command keeps.
 *
 * @module
 */
import { VARIABLES } from "../config/default_paths.ts";
import { HIDDEN, LIST } from "../config/launcher_environment.ts";
import { LIBC_PATHS } from "../libc/paths.ts";

/** Variables that the `yaml` package reads when it parses; they turn on its debugging output. */
const YAML_VARIABLES = ["LOG_STREAM", "LOG_TOKENS"];

/** Variables that the program itself reads. */
const OWN_VARIABLES = [...VARIABLES, `${HIDDEN}HOME`, LIST];

/** A permission that a command can drop. The program is started with no other one but `env`. */
export type Permission = "read" | "write" | "ffi";

const PERMISSIONS: readonly Permission[] = ["read", "write", "ffi"];

const FLAGS: Readonly<Record<Permission, string>> = {
  read: "--allow-read",
  write: "--allow-write",
  ffi: `--allow-ffi=${[...new Set(Object.values(LIBC_PATHS).flat())].join(",")}`,
};

/**
 * The flags of `deno run` for a program with some of the permissions, and with its environment.
 *
 * Reading and writing are not narrowed to paths, because the command line says where the
 * configuration, the socket and the key are. Network access, subprocesses and every other library
 * stay forbidden. `--no-prompt` keeps Deno from asking a user at a terminal for a permission that
 * was dropped.
 *
 * @param permissions Those that the program needs.
 */
export function permissionFlags(permissions: readonly Permission[]): readonly string[] {
  const variables = [...OWN_VARIABLES, ...permissions.includes("read") ? YAML_VARIABLES : []]
    .sort();
  const flags = PERMISSIONS.filter((name) => permissions.includes(name)).map((name) => FLAGS[name]);
  return [...flags, `--allow-env=${variables.join(",")}`, "--no-prompt"];
}

/** The flags of `deno run` for the whole program. */
export const PERMISSION_FLAGS: readonly string[] = permissionFlags(PERMISSIONS);

/** A command or, where one of its forms needs more permissions than another, that form. */
export type CommandMode =
  | "version"
  | "help"
  | "completions"
  | "run-as"
  | "gen-key"
  | "gen-key --show"
  | "users"
  | "users edit"
  | "groups"
  | "groups edit"
  | "keys"
  | "keys edit"
  | "config"
  | "status"
  | "connect"
  | "connect --listen"
  | "serve --check"
  | "serve";

/** The permissions that each keeps. The others are dropped before any file or socket is opened. */
export const KEPT_PERMISSIONS: Readonly<Record<CommandMode, readonly Permission[]>> = {
  "version": [],
  "help": [],
  "completions": [],
  // setresuid(2) and execve(2) are called through the C library; it does nothing else.
  "run-as": ["ffi"],
  "gen-key": ["ffi", "read", "write"],
  "gen-key --show": ["ffi", "read"],
  "users": ["ffi", "read"],
  "users edit": ["ffi", "read", "write"],
  "groups": ["ffi", "read"],
  "groups edit": ["ffi", "read", "write"],
  "keys": ["ffi", "read"],
  "keys edit": ["ffi", "read", "write"],
  "config": ["ffi", "read"],
  "status": ["ffi", "read"],
  "connect": ["ffi", "read"],
  // It unlinks its socket at the end.
  "connect --listen": ["ffi", "read", "write"],
  "serve --check": ["ffi", "read"],
  "serve": ["ffi", "read", "write"],
};

/**
 * Drops for good what a command does not need (`Deno.permissions.revoke`). A Worker that is started
 * afterwards has no more permissions than are left. The environment has been read by then, so
 * access to it is dropped, too; the variables of the `yaml` package stay where a configuration is
 * parsed.
 */
export function dropPermissions(mode: CommandMode): void {
  const kept = KEPT_PERMISSIONS[mode];
  for (const name of PERMISSIONS) {
    if (!kept.includes(name)) Deno.permissions.revokeSync({ name });
  }
  for (const variable of OWN_VARIABLES) Deno.permissions.revokeSync({ name: "env", variable });
  if (kept.includes("read")) return;
  for (const variable of YAML_VARIABLES) Deno.permissions.revokeSync({ name: "env", variable });
}
