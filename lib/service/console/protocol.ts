/**
 * The console's language: JSON-RPC 2.0 (jsonrpc.org/specification), one object a line, UTF-8, lines
 * ended by a newline. This file holds its shapes, shared by the two ends; it does nothing.
 *
 * @module
 */

/** The longest request a server accepts, in bytes, without its newline. */
export const MAX_REQUEST_BYTES = 1 << 20;
/** The longest answer a client accepts: the users of the largest configuration, and more. */
export const MAX_ANSWER_BYTES = 64 << 20;

/** JSON-RPC's own error codes, and ours. */
export const RpcCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  permissionDenied: -32001,
  invalidValue: -32002,
  notFound: -32003,
} as const;

/** The parameters of the notification `welcome`, the first line a console sends. */
export interface Welcome {
  /** Always `ipcauth`. */
  readonly server: string;
  readonly version: string;
  /** Who the session acts as. */
  readonly user: string;
  /** Whether the session may write. */
  readonly admin: boolean;
  /** Whether the peer is trusted: root, or the server's own user. */
  readonly trusted: boolean;
  /** Where the peer connected from, such as `127.0.0.1`. */
  readonly from: string;
  /** The server's host name. */
  readonly host: string;
  /** The session's number. */
  readonly session: number;
}

/** A user as `users.list` and `users.get` answer it. */
export interface UserRecord {
  readonly name: string;
  readonly uid: number;
  readonly gid: number | null;
  readonly local_ipc_access: boolean;
  readonly admin: boolean;
}

/** A session as `sessions.list` answers it. */
export interface SessionRecord {
  readonly id: number;
  readonly user: string;
  readonly uid: number;
  /** Null where the peer came over TCP. */
  readonly pid: number | null;
  readonly from: string;
  readonly listener: string;
  readonly service: string;
  /** RFC 3339, UTC. */
  readonly since: string;
}

/** What `access.check` answers. */
export interface AccessRecord {
  readonly uid: number;
  readonly user: string | null;
  readonly allow: boolean;
  /** The rule that lets in (`user`, `root`, …) or the reason that does not (`user-denied`, …). */
  readonly rule: string;
  /** The file and line that decided, or null where no line did. */
  readonly where: string | null;
  /** The command that would change it, or null where none would. */
  readonly change: string | null;
}

/** A JSON-RPC error object. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  /** `hint`: the next step, where there is one. */
  readonly data?: { readonly hint?: string };
}
