/**
 * The runtime's module `node:process`, which is loaded when it is first used.
 *
 * @module
 */
import process from "node:process";

/**
 * Has the runtime load it now. It asks for the current directory then (`getcwd(3)`), and fails in a
 * thread that uses it first when that directory has been removed: with it, each module that needs
 * it.
 *
 * @returns The id of this process.
 */
export function loadProcessModule(): number {
  return process.pid;
}
