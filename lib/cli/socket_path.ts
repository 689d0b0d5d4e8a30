/**
 * A socket path as it was typed.
 *
 * @module
 */
import { resolve } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";

/**
 * Makes a typed path absolute.
 *
 * @throws {Failure} 64 for an abstract name: made absolute, it would quietly become a file called `@…`.
 */
export function socketPath(typed: string): string {
  if (!typed.startsWith("@")) return resolve(typed);
  throw new Failure(`"${typed}" is an abstract name, which has no file permissions`, {
    exit: ExitCode.usage,
    hint: `--unix=./${typed}, if a file of that name is meant`,
  });
}
