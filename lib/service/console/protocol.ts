/**
 * The console's protocol: JSON-RPC 2.0 (jsonrpc.org/specification), one object a line, UTF-8, each
 * line ended by a newline. This file holds the shapes that both ends share; docs/console-api.md
 * explains them.
 *
 * @module
 */

/** The longest request a server accepts, in bytes, without its newline. */
export const MAX_REQUEST_BYTES = 1 << 20;
/** The longest answer a client accepts, in bytes. The users of the largest configuration fit. */
export const MAX_ANSWER_BYTES = 64 << 20;

/** The error codes: those of JSON-RPC 2.0, section 5.1, and from -32001 on those of ipcauth. */
export const RpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  permissionDenied: -32001,
  invalidValue: -32002,
  notFound: -32003,
  lockout: -32004,
  conflict: -32005,
} as const;

/** The parameters of the notification `welcome`, the first line a console sends. */
export interface Welcome {
  /** Always `ipcauth`. */
  readonly server: string;
  /** The server's version. */
  readonly version: string;
  /** The user the session acts as. */
  readonly user: string;
  /** Whether the session may call methods that write. */
  readonly admin: boolean;
  /** Whether the peer is trusted: root, the server's own user, or a key without a user. */
  readonly trusted: boolean;
  /** The peer's IP address; `127.0.0.1` for a Unix socket. */
  readonly from: string;
  /** The server's host name. */
  readonly host: string;
  /** The session's number. */
  readonly session: number;
}

/** A user, as the `users` methods answer it. */
export interface UserRecord {
  /** The name that the configuration gives it. */
  readonly name: string;
  /** The uid of its processes. */
  readonly uid: number;
  /** Null where the file has none. */
  readonly gid: number | null;
  /** Whether it has access. */
  readonly local_ipc_access: boolean;
  /** Whether its sessions may call methods that write. */
  readonly admin: boolean;
}

/** A group, as `config.entries` answers it. */
export interface GroupRecord {
  /** The group's name. */
  readonly name: string;
  /** Null where the file has none. */
  readonly gid: number | null;
  /** Whether its members have access; `false` denies them. */
  readonly local_ipc_access: boolean;
}

/** A commit that is rolled back unless it is confirmed. */
export interface UnconfirmedRecord {
  /** The user that has made it. */
  readonly user: string;
  /** The time that is left, in seconds. */
  readonly seconds: number;
}

/** What `config.entries` answers: what a draft of changes begins with. */
export interface DraftRecord {
  /** Stands for the configuration, as long as it means the same. */
  readonly base: string;
  /** In the file's order. */
  readonly users: readonly UserRecord[];
  /** In the file's order. */
  readonly groups: readonly GroupRecord[];
  /** Null where no commit waits to be confirmed. */
  readonly unconfirmed: UnconfirmedRecord | null;
}

/** What `config.commit` answers. */
export interface CommitRecord {
  /** The base of the configuration after the commit. */
  readonly base: string;
  /** Whether it has changed anything; of a check, whether it would. */
  readonly changed: boolean;
  /** Null where the commit stays. */
  readonly unconfirmed: UnconfirmedRecord | null;
}

/** What `config.show` answers: the configuration in force. */
export interface ConfigRecord {
  /** The file; null for the built-in configuration. */
  readonly path: string | null;
  /** Set where the file on disk is bad or gone, and an older configuration is in force. */
  readonly problem: { readonly since: string; readonly message: string } | null;
  /** Those of the file, each with `unix` and `mode` or with `tcp`; null where it has none. */
  readonly listeners: readonly Readonly<Record<string, unknown>>[] | null;
  /** How many users there are. */
  readonly users: number;
  /** In the file's order. */
  readonly groups: readonly GroupRecord[];
  /** By name; times are texts such as `5000ms`. */
  readonly limits: Readonly<Record<string, unknown>>;
  /** `level`, `format` and `file`. */
  readonly log: Readonly<Record<string, unknown>>;
  /** `refresh`, a time as in `limits`. */
  readonly directory: Readonly<Record<string, unknown>>;
}

/** A session, as the `sessions` methods answer it. */
export interface SessionRecord {
  /** The session's number. */
  readonly id: number;
  /** The user that it acts as. */
  readonly user: string;
  /** The peer's uid; on TCP that of the key's user. */
  readonly uid: number;
  /** Null on TCP. */
  readonly pid: number | null;
  /** The peer's IP address; `127.0.0.1` for a Unix socket. */
  readonly from: string;
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly listener: string;
  /** `console`, `metrics`, `forward` or `exec`. */
  readonly service: string;
  /** When it began: RFC 3339, UTC. */
  readonly since: string;
  /** Bytes from and to the peer so far; null where the program has the connection to itself. */
  readonly bytes_in: number | null;
  /** As `bytes_in`. */
  readonly bytes_out: number | null;
}

/** A listener, as `listeners.list` and `status` answer it. */
export interface ListenerRecord {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly listener: string;
  /** `console`, `metrics`, `forward` or `exec`. */
  readonly service: string;
  /** The backend or the program of its service; null for the services that have none. */
  readonly target: string | null;
  /** Whether it accepts connections, denies all, or could not be opened. */
  readonly state: "listening" | "suspended" | "closed";
  /** Why it accepts no connections, where that is known. */
  readonly problem: string | null;
  /** The users and groups (`@NAME`) that it is narrowed to, or null. */
  readonly allow: readonly string[] | null;
}

/** What `status` answers. */
export interface ServerStatus {
  /** The server's version. */
  readonly version: string;
  /** The host's name. */
  readonly host: string;
  /** The server's process. */
  readonly pid: number;
  /** Seconds since the start. */
  readonly uptime: number;
  /** The file in force, and what is wrong with that on disk. */
  readonly config: {
    /** The file in force; null for the built-in configuration. */
    readonly path: string | null;
    /** Whether the file on disk is the configuration in force. */
    readonly good: boolean;
    /** Since when that is so: RFC 3339, UTC. */
    readonly since: string;
    /** What is wrong with the file, and the next step; null where it is good. */
    readonly problem: string | null;
    readonly hint: string | null;
  };
  /** Whether the server has given up the files and ports that it does not need. */
  readonly sandbox: {
    readonly active: boolean;
    /** The version of Landlock; null without a sandbox. */
    readonly landlock: number | null;
    /** Why there is none; null with one. */
    readonly reason: string | null;
  };
  /** The listeners in force. */
  readonly listeners: readonly ListenerRecord[];
  /** Open sessions. */
  readonly sessions: number;
  /** Connections that were allowed, and denied, since the start. */
  readonly allowed: number;
  /** As `allowed`. */
  readonly denied: number;
  /** The denied ones by reason. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** What `access.check` answers. */
export interface AccessRecord {
  /** The uid that was asked for. */
  readonly uid: number;
  /** Its name, or null where it has none. */
  readonly user: string | null;
  /** The decision. */
  readonly allow: boolean;
  /** The rule that allows (`user`, `root`, …), or the reason of a denial (`user-denied`, …). */
  readonly rule: string;
  /** What is not known, where that may be the cause; or null. */
  readonly detail: string | null;
  /** The entry that decided, such as `user alice`, or null where none did. */
  readonly what: string | null;
  /** Its place, `FILE:LINE:COLUMN`, or null. */
  readonly where: string | null;
  /** The command that would change it, or null where none would. */
  readonly change: string | null;
  /** What the listeners decide that have an `allow` list. */
  readonly listeners: readonly ListenerOutcome[];
}

/** What one listener decides. */
export interface ListenerOutcome {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly listener: string;
  /** The decision. */
  readonly allow: boolean;
  /** The rule that allows, or the reason of a denial. */
  readonly rule: string;
  /** The place of the entry that decided, or null. */
  readonly where: string | null;
  /** The command that would change it, or null where none would. */
  readonly change: string | null;
}

/** What `log.list` answers. */
export interface LogResult {
  /** The fields of each line, as in the log in JSON; oldest first. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** The position to go on from. */
  readonly next: number;
  /** How many lines from the asked position on are kept no more. */
  readonly dropped: number;
}

/** A JSON-RPC error object. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  /** `hint`: the next step, where there is one. */
  readonly data?: { readonly hint?: string };
}
