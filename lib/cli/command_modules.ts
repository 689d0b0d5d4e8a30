/**
 * The module of each command, loaded when the command runs.
 *
 * @module
 */

export { parseCommandLine } from "./arguments.ts";

/** The modules of the whole program, by command. */
export const COMMAND_MODULES = {
  usage: () => import("./usage.ts"),
  completions: () => import("./completions.ts"),
  runAs: () => import("./run_as.ts"),
  users: () => import("./users.ts"),
  groups: () => import("./groups.ts"),
  keys: () => import("./keys.ts"),
  config: () => import("./config.ts"),
  serve: () => import("./serve.ts"),
  serveCheck: () => import("./serve_check.ts"),
  connect: () => import("./connect.ts"),
  status: () => import("./status.ts"),
  genKey: () => import("./gen_key.ts"),
  signals: () => import("../libc/signals.ts"),
  ids: () => import("../libc/ids.ts"),
} as const;

/** The modules of a build. One that holds `run-as` alone throws for every other command. */
export type CommandModules = typeof COMMAND_MODULES;
