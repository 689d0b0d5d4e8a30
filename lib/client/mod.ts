/**
 * The client library of ipcauth: connects to a service behind an authenticated listener, or to the
 * console of a server. docs/client-library.md explains it.
 *
 * A program that imports it needs one permission, `--allow-ffi` for the path of the C library.
 *
 * @example A service
 * ```ts
 * import { connect } from "./mod.ts";
 *
 * using connection = await connect({ unix: "/run/db/db.sock" });
 * const question = new Blob(["hello\n"]).stream();
 * const [answer] = await Promise.all([
 *   new Response(connection.readable).text(),
 *   question.pipeTo(connection.writable),
 * ]);
 * console.log(answer);
 * ```
 *
 * @example The console, with a key
 * ```ts
 * import { connectConsole } from "./mod.ts";
 *
 * await using ipcauth = await connectConsole({
 *   tcp: "127.0.0.1:4569",
 *   key: "/etc/ipcauth/ipc.key",
 * });
 * console.log(ipcauth.welcome.user, await ipcauth.users.list());
 * ```
 *
 * @module
 */
import type { ClientConnection } from "./client_connection.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { Console } from "./console.ts";

export { ExitCode, Failure, type FailureOptions } from "../errors.ts";
export {
  type AccessRecord,
  type CommitRecord,
  type ConfigRecord,
  type DraftRecord,
  type GroupRecord,
  type ListenerOutcome,
  type ListenerRecord,
  type LogResult,
  RpcCode,
  type ServerStatus,
  type SessionRecord,
  type UnconfirmedRecord,
  type UserRecord,
  type Welcome,
} from "../service/console/protocol.ts";
export type { ClientConnection } from "./client_connection.ts";
export type { CommonOptions, ConnectOptions, TcpOptions, UnixOptions } from "./connect_options.ts";
export type {
  AccessMethods,
  ConfigMethods,
  Console,
  EntryEdit,
  ListenersMethods,
  LogMethods,
  SessionsMethods,
  UsersMethods,
} from "./console.ts";
export { RpcServerError } from "./rpc_error.ts";
export { StreamError } from "./stream_error.ts";

// What needs the permission is loaded when it is used: an import that fails cannot be caught.

/**
 * Connects to the service of a listener.
 *
 * @param options The server: `unix`, or `tcp` and `key`.
 * @throws {Failure} 64 for options that are no server, 69 when there is none, 77 when it refuses or
 * runs as another user, 65 when it is not an ipcauth server or the key file holds no key, 78 when
 * the key file is missing or others may read it, 71 when the system refuses. The message begins
 * with `Failed to connect to server`.
 * @throws The reason of the signal.
 */
export async function connect(options: ConnectOptions): Promise<ClientConnection> {
  return await (await import("./connect.ts")).connectStream(options);
}

/**
 * Opens the console of a server.
 *
 * @param options The server: `unix`, or `tcp` and `key`; and the `user` to act as.
 * @throws {Failure} As {@linkcode connect}; 65 also when the listener's service is no console.
 * @throws The reason of the signal.
 */
export async function connectConsole(options: ConnectOptions): Promise<Console> {
  return await (await import("./connect.ts")).connectConsole(options);
}
