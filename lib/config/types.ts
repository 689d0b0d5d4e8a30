/** The configuration after it has been read and checked: plain readonly data. */
import type { Target } from "../net/address.ts";
import type { AccessTable, AllowList, Position } from "../policy/types.ts";

/** Whose identity a forwarded connection carries to its backend. */
export type ForwardIdentity = "none" | "proxy-v2" | "impersonate";

/** What an accepted connection is handed to. */
export type ServiceConfig =
  | { readonly kind: "console" }
  | { readonly kind: "forward"; readonly target: Target; readonly identity: ForwardIdentity }
  | {
    readonly kind: "exec";
    /** Program and arguments, at least one. */
    readonly argv: readonly string[];
    readonly runAs: "server" | "peer" | { readonly user: string };
  };

/** A key a TCP listener accepts. */
export interface KeyConfig {
  readonly file: string;
  /** Whose key it is; null: a trusted key. */
  readonly user: string | null;
  /** Milliseconds since the epoch, or null for never. */
  readonly notAfter: number | null;
  readonly at: Position;
}

/** An address to listen on. */
export type ListenerConfig = UnixListenerConfig | TcpListenerConfig;

/** A pathname socket. */
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
  /** Whether the keys are those of the command line, which no configuration changes. */
  readonly pinned?: boolean;
  readonly allow: AllowList | null;
  readonly service: ServiceConfig;
  readonly at: Position;
}

/** Bounds; times in milliseconds, 0 means without bound where it is a time. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  readonly maxPendingHandshakes: number;
  readonly handshakeTimeout: number;
  readonly idleTimeout: number;
  readonly grace: number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogConfig {
  readonly level: LogLevel;
  /** Null: text on a terminal, JSON elsewhere. */
  readonly format: "text" | "json" | null;
  /** Where it goes; null: standard error. */
  readonly file: string | null;
}

/** A whole configuration. It is loaded whole or not at all. */
export interface Config {
  /** The file it was read from, or null for the built-in one. */
  readonly path: string | null;
  /** Null where the file has no `listeners:`; one console listener on the default socket is meant. */
  readonly listeners: readonly ListenerConfig[] | null;
  readonly access: AccessTable;
  readonly limits: Limits;
  readonly log: LogConfig;
}

/** The mode of a Unix listener that names none: the decision is the policy's, not the file's. */
export const DEFAULT_SOCKET_MODE = 0o666;

/** The limits of a configuration that names none. */
export const DEFAULT_LIMITS: Limits = {
  maxConnections: 1024,
  maxConnectionsPerUser: 256,
  maxPendingHandshakes: 128,
  handshakeTimeout: 5_000,
  idleTimeout: 0,
  grace: 5_000,
};

/** The log of a configuration that names none. */
export const DEFAULT_LOG: LogConfig = { level: "info", format: null, file: null };
