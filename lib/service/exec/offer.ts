/**
 * Whether a server can offer a program.
 *
 * @module
 */
import type { Config, ServiceConfig } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import { canSpawn } from "../../libc/spawn.ts";
import { requireProgram } from "./program_check.ts";
import { RunAs } from "./run_as.ts";

/**
 * Requires that a program can be started for the sessions of a listener.
 *
 * @param config The configuration in force.
 * @param serverUid The uid of the server.
 * @returns The user that the program runs as.
 * @throws {Failure} 78 when the program cannot be executed, or `run_as` needs rights that this
 * process does not have; 71 when the C library cannot spawn.
 */
export function requireOffer(
  { argv, runAs }: ServiceConfig & { kind: "exec" },
  config: () => Config,
  serverUid: number,
): RunAs {
  const [path, ...rest] = argv;
  if (path === undefined) throw new TypeError("no program");
  if (!canSpawn()) {
    throw new Failure("Starting programs needs glibc 2.34 or newer", {
      exit: ExitCode.os,
      hint: "ldd --version",
    });
  }
  const whose = new RunAs([path, ...rest], runAs, config);
  requireProgram(path, whose.namedUid ?? serverUid);
  return whose;
}
