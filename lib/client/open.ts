/**
 * Opens a connection to a server: on a Unix socket, or on TCP with a key.
 *
 * What TCP needs is loaded when it is used: a `connect -c` on a Unix socket starts without it.
 *
 * @module
 */
import type { HostPort } from "../libc/inet_address.ts";
import { type ConnectLimit, connectUnix, type Trust } from "./connect_unix.ts";
import type { OpenConnection } from "./server_stream.ts";

/** A connection that was opened, and what is known of its server. */
export interface ServerConnection extends OpenConnection {
  /** The server's path or address, for messages. */
  readonly where: string;
  /** What the ACCEPT record of the access check says; null on a Unix socket. */
  readonly accepted: { readonly user: string; readonly service: string } | null;
}

/** A server on TCP. */
export interface KeyedServerOptions {
  readonly address: HostPort;
  /** The path of the key file, absolute; or a copy of the key, which is wiped. */
  readonly key: string | Uint8Array;
  /** The user to act as, or null. */
  readonly user: string | null;
  /** The client's name and version, for the server's log. */
  readonly client: string;
  /** The effective uid of this process, which may own the key file. */
  readonly ownUid: number;
}

/**
 * Connects to the first path that has a socket, and checks which user its server runs as.
 *
 * @throws {Failure} As {@linkcode connectUnix}.
 */
export async function openUnix(
  paths: readonly string[],
  trust: Trust,
  limit: ConnectLimit = {},
): Promise<ServerConnection> {
  const { connection, path } = await connectUnix(paths, trust, limit);
  const received = new Uint8Array(0);
  const isLost = null;
  return { descriptor: connection, seal: null, received, isLost, where: path, accepted: null };
}

/**
 * Connects to a server on TCP, and passes its access check.
 *
 * @throws {Failure} 69 when there is no server, 77 when it refuses, 65 when it is not an ipcauth
 * server or the key file holds no key, 78 when the key file is missing or others may read it.
 */
export async function openKeyed(
  { address, key: source, user, client, ownUid }: KeyedServerOptions,
  limit: ConnectLimit = {},
): Promise<ServerConnection> {
  const [{ connectWithKey, lossOf }, { fetchHint, readKeyFile }, { hostPortText }] = await Promise
    .all([
      import("./connect_tcp.ts"),
      import("../keys/key_reader.ts"),
      import("../libc/inet_address.ts"),
    ]);
  const key = typeof source === "string"
    ? readKeyFile(source, ownUid, { once: true, absentHint: fetchHint }).key
    : source;
  try {
    const accepted = await connectWithKey(address, key, { client, user }, limit);
    return {
      descriptor: accepted.descriptor,
      seal: accepted.channel,
      // It lies in a buffer of the access check.
      received: accepted.rest.slice(),
      isLost: lossOf(accepted.descriptor),
      where: hostPortText(address),
      accepted: { user: accepted.user, service: accepted.service },
    };
  } finally {
    key.fill(0);
  }
}
