/**
 * Which addresses a server listens on: pure, (flags, environment, configuration) → listeners.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { serverSocket, type Surroundings } from "../config/locate.ts";
import {
  type Config,
  DEFAULT_SOCKET_MODE,
  type ListenerConfig,
  type UnixListenerConfig,
} from "../config/types.ts";

/** What the command line says of listeners. */
export interface ListenerFlags {
  /** A path, true for `--unix` alone, null for no `--unix`. */
  readonly unix: string | true | null;
  /** Whether `--tcp` was given. */
  readonly tcp: boolean;
}

/**
 * Chooses the listeners. The first that says something wins: flags, the environment, the configuration,
 * the built-in console.
 *
 * @throws {Failure} When what is asked for is not built yet, or there is no default socket path.
 */
export function chooseListeners(
  flags: ListenerFlags,
  config: Config,
  surroundings: Surroundings,
): readonly UnixListenerConfig[] {
  if (flags.tcp) throw notYet("serve --tcp", ExitCode.usage);
  if (typeof flags.unix === "string") return [consoleAt(flags.unix, config)];
  const { IPCAUTH_PATH, IPCAUTH_ADDR, IPCAUTH_PORT } = surroundings.env;
  if (IPCAUTH_PATH) return [consoleAt(IPCAUTH_PATH, config)];
  if (flags.unix === null && (IPCAUTH_ADDR || IPCAUTH_PORT)) {
    throw notYet("serving TCP (IPCAUTH_ADDR, IPCAUTH_PORT)", ExitCode.usage);
  }
  const configured = (config.listeners ?? []).filter((listener) =>
    flags.unix === null || listener.kind === "unix"
  );
  if (configured.length > 0) return configured.map((listener) => buildable(listener, config));
  return [consoleAt(serverSocket(surroundings), config)];
}

/** The configured listener of a path, or a console that nothing is configured of. */
function consoleAt(path: string, config: Config): UnixListenerConfig {
  for (const listener of config.listeners ?? []) {
    if (listener.kind === "unix" && listener.path === path) return buildable(listener, config);
  }
  return {
    kind: "unix",
    path,
    mode: DEFAULT_SOCKET_MODE,
    allow: null,
    service: { kind: "console" },
    at: { line: 1, column: 1 },
  };
}

function buildable(listener: ListenerConfig, config: Config): UnixListenerConfig {
  const where = `${config.path ?? ""}:${listener.at.line}:${listener.at.column}`;
  if (listener.kind === "tcp") throw notYet(`${where}: a tcp listener`, ExitCode.config);
  if (listener.service.kind !== "console") {
    throw notYet(`${where}: the service ${listener.service.kind}`, ExitCode.config);
  }
  return listener;
}

function notYet(what: string, exit: ExitCode): Failure {
  return new Failure(`${what} is not built yet`, { exit });
}
