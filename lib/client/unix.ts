/**
 * A connection to a Unix socket whose server has been looked at, too.
 *
 * @module
 */
import { ExitCode, type Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno } from "../libc/errno.ts";
import {
  AddressError,
  connect,
  peerCredentials,
  ucred,
  unixAddress,
  unixSocket,
} from "../libc/sockets.ts";
import { notConnected } from "./failure.ts";

/** Whom a client believes. */
export interface Trust {
  /** The caller's own uid. */
  readonly ownUid: number;
  /** The uid that `--server-user` names, or null. */
  readonly serverUid: number | null;
}

/** How long a server that is too busy to take us is waited for, in milliseconds, and how often it is asked. */
const PATIENCE = 10_000;
const PAUSE = 10;

/**
 * Connects to the first path that has a socket.
 *
 * @param paths Where a server may be, in order.
 * @param trust Whom the server may run as, beside root.
 * @returns The connection and its path. The caller owns it.
 * @throws {Failure} 69 when no server is there, 77 when we may not connect or the server is a stranger's.
 */
export async function connectUnix(
  paths: readonly string[],
  trust: Trust,
): Promise<{ connection: Descriptor; path: string }> {
  let absent: Failure | null = null;
  for (const path of paths) {
    const { connection, error } = await tryConnect(path);
    if (connection !== null) {
      try {
        demandTrust(connection, path, trust);
      } catch (failure) {
        connection.close();
        throw failure;
      }
      return { connection, path };
    }
    const failure = explainError(path, error);
    // Only a socket that is not there leads on to the next place: one that refuses has an answer to give.
    if (error !== Errno.ENOENT) throw failure;
    absent ??= failure;
  }
  throw absent ?? notConnected("there is no socket to connect to", ExitCode.unavailable);
}

async function tryConnect(
  path: string,
): Promise<{ connection: Descriptor; error: 0 } | { connection: null; error: number }> {
  let address: Uint8Array<ArrayBuffer>;
  try {
    address = unixAddress(path);
  } catch (error) {
    if (error instanceof AddressError) {
      throw notConnected(error.message, ExitCode.usage, undefined, error);
    }
    throw error;
  }
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const connection = unixSocket();
    const error = connect(connection, address);
    if (error === 0) return { connection, error };
    connection.close();
    // A full backlog is EAGAIN at once, and nothing tells when there is room (connect(2)).
    if (error !== Errno.EAGAIN || performance.now() > deadline) return { connection: null, error };
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/**
 * Anybody can listen on a path in a shared directory. The kernel recorded who did (`unix(7)`: the
 * credentials are those of `listen()`).
 */
function demandTrust(connection: Descriptor, path: string, { ownUid, serverUid }: Trust): void {
  if (!peerCredentials(connection)) {
    throw notConnected(`the kernel does not say who runs the server on ${path}`, ExitCode.refused);
  }
  const { uid } = ucred;
  if (uid === 0 || uid === ownUid || uid === serverUid) return;
  throw notConnected(
    `the server on ${path} runs as uid ${uid}, who is neither root nor you`,
    ExitCode.refused,
    `ipcauth connect --unix=${path} --server-user ${uid}, if you know that this is right`,
  );
}

function explainError(path: string, error: number): Failure {
  switch (error) {
    case Errno.ENOENT:
      return notConnected(
        `there is no socket ${path}`,
        ExitCode.unavailable,
        `ipcauth serve --unix=${path}`,
      );
    case Errno.ECONNREFUSED:
      return notConnected(
        `nobody is listening on ${path}`,
        ExitCode.unavailable,
        `ipcauth serve --unix=${path}`,
      );
    case Errno.EAGAIN:
      return notConnected(`the server on ${path} is too busy`, ExitCode.unavailable);
    case Errno.EACCES:
    case Errno.EPERM:
      return notConnected(
        `permission denied on ${path}`,
        ExitCode.refused,
        `ls -ld ${path}`,
      );
    default:
      return notConnected(`${path}: ${describe(error)}`, ExitCode.unavailable);
  }
}
