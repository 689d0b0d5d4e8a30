/**
 * What the flags and variables of `ipcauth serve` say, with absolute paths.
 *
 * @module
 */
import { resolve } from "@std/path";
import { socketPathProblem } from "../config/addresses.ts";
import type { Environment } from "../config/default_paths.ts";
import type { ServiceConfig } from "../config/types.ts";
import type { ListenerFlags } from "../dataplane/choose_listeners.ts";
import { ExitCode as Exit, Failure } from "../errors.ts";
import { findInPath } from "../libc/process.ts";
import { parseTarget } from "../net/address.ts";
import { shellWord } from "../text/shell_word.ts";
import { DEFAULT, type ServeCommand } from "./command_line.ts";
import { listenAddress, socketPath } from "./typed_address.ts";

/** The listeners of the flags. @throws {Failure} 64 for an address or program that is none. */
export function listenerFlags(command: ServeCommand): ListenerFlags {
  return {
    unix: command.unix === DEFAULT ? true : command.unix && socketPath(command.unix),
    tcp: command.tcp === DEFAULT ? true : command.tcp === null ? null : listenAddress(command.tcp),
    keys: command.keys.map((key) => key === DEFAULT ? null : resolve(key)),
    service: serviceOf(command),
  };
}

function serviceOf({ service }: ServeCommand): ServiceConfig | null {
  if (service === null) return null;
  if (service.kind === "exec") {
    return { kind: "exec", argv: commandOf(service.argv), runAs: "server" };
  }
  const target = parseTarget(service.target);
  if (target === null) {
    throw new Failure(`--forward: "${service.target}" is neither unix:PATH nor tcp:HOST:PORT`, {
      exit: Exit.usage,
      hint: "ipcauth help serve",
    });
  }
  // As in the file. A socket that is made below the current directory is not relied on elsewhere.
  const problem = target.kind === "unix" ? socketPathProblem(target.path) : null;
  if (problem !== null) {
    const path = service.target.slice("unix:".length);
    const isRelative = /^[^/@].*[^/]$/s.test(path);
    throw new Failure(`--forward: ${problem}`, {
      exit: Exit.usage,
      hint: isRelative ? `--forward ${shellWord(`unix:${resolve(path)}`)}` : "ipcauth help serve",
    });
  }
  if (service.identity === "impersonate" && target.kind === "tcp") {
    throw new Failure(
      "--identity impersonate goes with unix:PATH: over TCP a backend does not see who connects",
      { exit: Exit.usage, hint: "ipcauth help serve" },
    );
  }
  return {
    ...service,
    backendUser: null,
    target,
  };
}

/**
 * The program of `--exec` with an absolute path.
 *
 * A bare name is searched in PATH once, at start, so that every session runs the same file.
 *
 * @throws {Failure} 64 when PATH has no such program.
 */
function commandOf([name, ...args]: readonly string[]): string[] {
  if (name === undefined || name.includes("/")) return [resolve(name ?? ""), ...args];
  const path = findInPath(name);
  if (path !== null) return [path, ...args];
  throw new Failure(`--exec: there is no program ${JSON.stringify(name)} in PATH`, {
    exit: Exit.usage,
    hint: "ipcauth serve --exec -- /PATH/TO/PROGRAM",
  });
}

/**
 * The environment with absolute paths: a log or a hint is read in another directory than the
 * server's.
 */
export function withAbsolutePaths(environment: Environment): Environment {
  const { IPCAUTH_PATH, IPCAUTH_KEY_FILE } = environment.variables;
  return {
    ...environment,
    variables: {
      ...environment.variables,
      ...IPCAUTH_PATH ? { IPCAUTH_PATH: socketPath(IPCAUTH_PATH) } : {},
      ...IPCAUTH_KEY_FILE ? { IPCAUTH_KEY_FILE: resolve(IPCAUTH_KEY_FILE) } : {},
    },
  };
}
