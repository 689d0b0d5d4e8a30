/**
 * Where each command is carried out: loaded when it is entered, so that nobody pays for the others.
 *
 * @module
 */

export { parseCommandLine } from "./arguments.ts";

/** The rooms of a program that can do everything. */
export const COMMAND_MODULES = {
  usage: () => import("./usage.ts"),
  completions: () => import("./completions.ts"),
  runAs: () => import("./run_as.ts"),
  users: () => import("./users.ts"),
  serve: () => import("./serve.ts"),
  connect: () => import("./connect.ts"),
  genKey: () => import("./gen_key.ts"),
  ids: () => import("../libc/ids.ts"),
} as const;

/** Rooms, some of which may be locked. */
export type CommandModules = typeof COMMAND_MODULES;
