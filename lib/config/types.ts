/**
 * The configuration after it has been read and checked: plain readonly data.
 *
 * @module
 */
import type { Target } from "../net/address.ts";
import type { AccessTable, AllowList, Position } from "../policy/types.ts";

/** How a forwarded connection tells its backend the identity of the peer. */
export const FORWARD_IDENTITIES = ["none", "proxy-v2", "impersonate"] as const;

/** One of {@linkcode FORWARD_IDENTITIES}. */
export type ForwardIdentity = typeof FORWARD_IDENTITIES[number];

/** What an accepted connection is handed to. */
export type ServiceConfig =
  | { readonly kind: "console" }
  | { readonly kind: "metrics" }
  | {
    readonly kind: "forward";
    readonly target: Target;
    readonly identity: ForwardIdentity;
    /** The user of the name service that a backend on a Unix socket runs as; null for the rule. */
    readonly backendUser: string | null;
  }
  | {
    readonly kind: "exec";
    /** Program and arguments, at least one. */
    readonly argv: readonly string[];
    readonly runAs: "server" | "peer" | { readonly user: string };
  };

/** A key that a TCP listener accepts. */
export interface KeyConfig {
  /** The key file, an absolute path. */
  readonly file: string;
  /** The name of the user whose key it is; null for a trusted key. */
  readonly user: string | null;
  /** Milliseconds since the epoch, or null for never. */
  readonly notAfter: number | null;
  readonly at: Position;
}

/** A directory whose files are keys that a TCP listener accepts. */
export interface KeyDirectoryConfig {
  /** An absolute path without a trailing slash. */
  readonly directory: string;
  readonly at: Position;
}

/** An address to listen on. */
export type ListenerConfig = UnixListenerConfig | TcpListenerConfig;

/** A pathname socket (`unix(7)`). */
export interface UnixListenerConfig {
  readonly kind: "unix";
  readonly path: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly allow: AllowList | null;
  readonly service: ServiceConfig;
  readonly at: Position;
}

/** A TCP address whose clients pass the access check. */
export interface TcpListenerConfig {
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
  readonly keys: readonly KeyConfig[];
  /** The directories whose files are keys, too; none where the keys are pinned. */
  readonly keyDirectories: readonly KeyDirectoryConfig[];
  /** Whether the keys are those of the command line, which no reload changes. */
  readonly pinned?: boolean;
  readonly allow: AllowList | null;
  readonly service: ServiceConfig;
  readonly at: Position;
}

/** Bounds. Times are in milliseconds; an idle timeout of 0 means no bound. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxPendingHandshakes: number;
  readonly handshakeTimeout: number;
  readonly idleTimeout: number;
  readonly grace: number;
}

/** The levels of the log, the most detailed one first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** The formats of the log. */
export const LOG_FORMATS = ["text", "json"] as const;

/** Where the log goes, and what is in it. */
export interface LogConfig {
  readonly level: LogLevel;
  /** Null: text on a terminal, JSON elsewhere. */
  readonly format: typeof LOG_FORMATS[number] | null;
  /** An absolute path; null for standard error. */
  readonly file: string | null;
}

/** A name of the name service, and where the file names it first. */
export interface NamePlace {
  readonly name: string;
  readonly at: Position;
  /** The path of that key, such as `groups[0].name`. */
  readonly key: string;
}

/** How the name service is used. */
export interface DirectoryConfig {
  /** How old an answer may be that a decision rests on, in milliseconds. */
  readonly refresh: number;
}

/** When a server restricts itself to what its configuration needs. */
export const SANDBOX_MODES = ["auto", "on", "off"] as const;

/** One of {@linkcode SANDBOX_MODES}. */
export type SandboxMode = typeof SANDBOX_MODES[number];

/** A configuration. */
export interface Config {
  /** The file it was read from, or null for the built-in one. */
  readonly path: string | null;
  /** Null where the file has no `listeners:`, which means a console on the default socket. */
  readonly listeners: readonly ListenerConfig[] | null;
  readonly access: AccessTable;
  /** The groups whose gid the file leaves to the name service. */
  readonly namedGroups: readonly NamePlace[];
  /** The accounts of the name service that `backend_user` names. */
  readonly namedAccounts: readonly NamePlace[];
  readonly limits: Limits;
  readonly log: LogConfig;
  readonly directory: DirectoryConfig;
  /** Read at the start of a server. */
  readonly sandbox: SandboxMode;
  /** How many data planes a server is started with. */
  readonly workers: number;
}

/**
 * The mode of a Unix listener that names none. The policy decides, so the file admits every uid.
 */
export const DEFAULT_SOCKET_MODE = 0o666;

/** The identity mode of a `forward` service that names none. */
export const DEFAULT_FORWARD_IDENTITY: ForwardIdentity = "none";

/** The user of an `exec` service that names none. */
export const DEFAULT_RUN_AS = "server";

/** The limits of a configuration that names none. */
export const DEFAULT_LIMITS: Limits = {
  maxConnections: 1024,
  maxConnectionsPerUser: 256,
  maxPendingHandshakes: 128,
  handshakeTimeout: 5_000,
  idleTimeout: 0,
  grace: 5_000,
};

/** The use of the name service of a configuration that does not say. */
export const DEFAULT_DIRECTORY: DirectoryConfig = { refresh: 30_000 };

/** The number of data planes of a configuration that does not say. */
export const DEFAULT_WORKERS = 1;

/** The log of a configuration that names none. */
export const DEFAULT_LOG: LogConfig = { level: "info", format: null, file: null };

/** Where the kernel has it, and it costs no function. */
export const DEFAULT_SANDBOX: SandboxMode = "auto";
