/**
 * Default paths and addresses of the configuration, the sockets and the key. Pure: the environment
 * is an argument.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { HostPort } from "../libc/inet_address.ts";
import { parseHostPort } from "../net/host_port.ts";

/** The default TCP port. */
export const DEFAULT_PORT = 4569;
/** The default TCP host. */
const DEFAULT_HOST = "127.0.0.1";
/** The socket of a server that runs as root. */
export const SYSTEM_SOCKET = "/run/ipcauth/ipc.sock";
/** The configuration of the host. */
export const SYSTEM_CONFIG = "/etc/ipcauth/config.yaml";
/** The key of the host. */
export const SYSTEM_KEY = "/etc/ipcauth/ipc.key";

/** The user and the environment that the program runs in. */
export interface Environment {
  /** The effective uid. */
  readonly uid: number;
  /** The environment variables this program reads, by name; an empty one counts as absent. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** The environment variables this program reads, and no others. */
export const VARIABLES = [
  "HOME",
  "IPCAUTH_ADDR",
  "IPCAUTH_CONFIG",
  "IPCAUTH_KEY_FILE",
  "IPCAUTH_PATH",
  "IPCAUTH_PORT",
  "LISTEN_FDS",
  "LISTEN_PID",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "TERM",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "XDG_STATE_HOME",
] as const;

function configHome({ uid, variables }: Environment): string | null {
  // The access to a host is not to depend on a file in root's home directory.
  if (uid === 0) return null;
  // The XDG base directory specification: relative paths are invalid and ignored.
  if (variables.XDG_CONFIG_HOME?.startsWith("/")) return variables.XDG_CONFIG_HOME;
  return variables.HOME?.startsWith("/") ? `${variables.HOME}/.config` : null;
}

/** The paths that a configuration may have. */
export interface ConfigPlaces {
  /** In order; the first that exists is read. */
  readonly paths: readonly string[];
  /** Whether a flag or variable names the file, so that its absence is an error. */
  readonly explicit: boolean;
}

/**
 * The paths that the configuration may have: that of `--config`, of `IPCAUTH_CONFIG`, or the one in
 * the user's configuration directory (not for root) and the one of the host.
 *
 * @param flag The value of `--config`, or null.
 */
export function configPlaces(flag: string | null, environment: Environment): ConfigPlaces {
  const named = flag ?? environment.variables.IPCAUTH_CONFIG;
  if (named) return { paths: [named], explicit: true };
  const home = configHome(environment);
  return {
    paths: home === null ? [SYSTEM_CONFIG] : [`${home}/ipcauth/config.yaml`, SYSTEM_CONFIG],
    explicit: false,
  };
}

/** The paths of a key that neither a flag, the environment nor the configuration names. */
export function keyPaths(environment: Environment): readonly string[] {
  const home = configHome(environment);
  return home === null ? [SYSTEM_KEY] : [`${home}/ipcauth/ipc.key`, SYSTEM_KEY];
}

function runtimeSocket({ uid, variables }: Environment): string | null {
  if (uid === 0) return SYSTEM_SOCKET;
  return variables.XDG_RUNTIME_DIR?.startsWith("/")
    ? `${variables.XDG_RUNTIME_DIR}/ipcauth/ipc.sock`
    : null;
}

/**
 * The socket of a server that none is named for.
 *
 * @throws {Failure} 64 when `XDG_RUNTIME_DIR` is not set and the user is not root.
 */
export function serverSocket(environment: Environment): string {
  const path = runtimeSocket(environment);
  if (path !== null) return path;
  throw new Failure("There is no default socket path: XDG_RUNTIME_DIR is not set", {
    exit: ExitCode.usage,
    hint: "ipcauth serve --unix=PATH",
  });
}

/**
 * The sockets that a client tries, in order: that of its own user's server, then that of root's.
 */
export function clientSockets(environment: Environment): readonly string[] {
  const own = runtimeSocket(environment);
  return own === null || own === SYSTEM_SOCKET ? [SYSTEM_SOCKET] : [own, SYSTEM_SOCKET];
}

/**
 * Parses an address whose host or port may be left out: `HOST`, `HOST:PORT`, `:PORT`, with an IPv6
 * address in brackets. What is left out is the default.
 *
 * @param anyPort Whether the port may be 0.
 * @returns Null when the text is none of them.
 */
export function parseAddress(text: string, anyPort = false): HostPort | null {
  if (/^:[0-9]/.test(text)) return parseHostPort(DEFAULT_HOST + text, anyPort);
  const isHost = /^(\[[^\]]*\]|[^:[\]]+)$/.test(text);
  return parseHostPort(isHost ? `${text}:${DEFAULT_PORT}` : text, anyPort);
}

/** Where the console's prompt keeps its history; null where no variable says it. */
export function historyDirectory({ variables }: Environment): string | null {
  const { HOME, XDG_STATE_HOME } = variables;
  if (XDG_STATE_HOME?.startsWith("/")) return `${XDG_STATE_HOME}/ipcauth`;
  return HOME?.startsWith("/") ? `${HOME}/.local/state/ipcauth` : null;
}

/** The default TCP address. */
export const DEFAULT_ADDRESS: HostPort = { host: DEFAULT_HOST, port: DEFAULT_PORT };

/**
 * The TCP address in the environment: `IPCAUTH_ADDR` and `IPCAUTH_PORT`, each with its default.
 * Without `IPCAUTH_PORT`, `IPCAUTH_ADDR` may hold the port, too.
 *
 * @returns Null when neither is set.
 * @throws {Failure} 64 when they are not a host and a port, or name two ports.
 */
export function addressFromEnvironment({ variables }: Environment): HostPort | null {
  const { IPCAUTH_ADDR, IPCAUTH_PORT } = variables;
  if (!IPCAUTH_ADDR && !IPCAUTH_PORT) return null;
  const host = IPCAUTH_ADDR || DEFAULT_HOST;
  // With two colons it is an IPv6 address, which needs no brackets where no port follows.
  const named = host.startsWith("[") || !/:.*:/.test(host) ? host : `[${host}]`;
  const text = IPCAUTH_PORT ? `${named}:${IPCAUTH_PORT}` : named;
  const address = IPCAUTH_PORT ? parseHostPort(text) : parseAddress(text);
  if (address !== null) return address;
  throw new Failure(`IPCAUTH_ADDR and IPCAUTH_PORT are no address: ${JSON.stringify(text)}`, {
    exit: ExitCode.usage,
    hint: `export IPCAUTH_ADDR=${DEFAULT_HOST} IPCAUTH_PORT=${DEFAULT_PORT}`,
  });
}
