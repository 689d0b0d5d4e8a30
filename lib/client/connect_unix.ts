/**
 * A connection to a Unix socket whose server has been looked at, too.
 *
 * @module
 */
import { ExitCode, type Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { fileStatus, FileType } from "../libc/file_status.ts";
import { peerCredentials, ucred } from "../libc/peer_credentials.ts";
import { readProc } from "../libc/read_file.ts";
import { connect, unixSocket } from "../libc/sockets.ts";
import { AddressError, unixAddress } from "../libc/unix_address.ts";
import { connectFailure } from "./connect_failure.ts";

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

/** What leads on to the next place. A socket that is there and refuses has an answer to give. */
const ELSEWHERE: readonly number[] = [
  Errno.ENOENT,
  Errno.ENOTDIR,
  // Whoever became another user still has the first one's XDG_RUNTIME_DIR, and may not look into it.
  Errno.EACCES,
];

/**
 * Connects to the first path that has a socket.
 *
 * @param paths Where a server may be, in order.
 * @param trust Whom the server may run as, beside root.
 * @param patience How long a busy server is waited for, in milliseconds.
 * @returns The connection and its path. The caller owns it.
 * @throws {Failure} 69 when no server is there, 77 when we may not connect or the server is a stranger's.
 */
export async function connectUnix(
  paths: readonly string[],
  trust: Trust,
  patience: number = PATIENCE,
): Promise<{ connection: Descriptor; path: string }> {
  let absent: Failure | null = null;
  let denied: Failure | null = null;
  for (const path of paths) {
    const { connection, error } = await tryConnect(path, patience);
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
    if (!ELSEWHERE.includes(error)) throw failure;
    if (error === Errno.EACCES) denied ??= failure;
    else absent ??= failure;
  }
  throw denied ?? absent ??
    connectFailure("there is no socket to connect to", ExitCode.unavailable);
}

async function tryConnect(
  path: string,
  patience: number,
): Promise<{ connection: Descriptor; error: 0 } | { connection: null; error: number }> {
  let address: Uint8Array<ArrayBuffer>;
  try {
    address = unixAddress(path);
  } catch (error) {
    if (error instanceof AddressError) {
      throw connectFailure(error.message, ExitCode.usage, undefined, error);
    }
    throw error;
  }
  const deadline = performance.now() + patience;
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
    throw connectFailure(
      `the kernel does not say who runs the server on ${path}`,
      ExitCode.refused,
    );
  }
  const { uid } = ucred;
  if (uid === 0 || uid === serverUid) return;
  if (uid === ownUid && !isShared(uid)) return;
  throw connectFailure(
    `the server on ${path} runs as uid ${uid}, who is neither root nor ${
      uid === ownUid ? "surely " : ""
    }you`,
    ExitCode.refused,
    `ipcauth connect --unix=${path} --server-user ${uid}, if you know that this is right`,
  );
}

/**
 * Whether a uid is the overflow uid (`proc_sys_kernel(5)`): then it is everyone's who has no mapping in
 * this user namespace, and says nothing about who the server is.
 */
function isShared(uid: number): boolean {
  return readProc("/proc/sys/kernel/overflowuid").trim() === String(uid);
}

function explainError(path: string, error: number): Failure {
  // connect(2) says the same of these as of a socket without a server, or without our rights.
  if (isSomethingElse(path)) {
    return connectFailure(`${path} is not a socket`, ExitCode.data, `ls -ld ${path}`);
  }
  switch (error) {
    case Errno.ENOENT:
      return connectFailure(
        `there is no socket ${path}`,
        ExitCode.unavailable,
        `ipcauth serve --unix=${path}`,
      );
    case Errno.ECONNREFUSED:
      return connectFailure(
        `nobody is listening on ${path}`,
        ExitCode.unavailable,
        `ipcauth serve --unix=${path}`,
      );
    case Errno.EAGAIN:
      return connectFailure(`the server on ${path} is too busy`, ExitCode.unavailable);
    case Errno.EACCES:
    case Errno.EPERM:
      return connectFailure(
        `permission denied on ${path}`,
        ExitCode.refused,
        `ls -ld ${path}`,
      );
    case Errno.EPROTOTYPE:
      return connectFailure(
        `${path} is a socket of another kind than ipcauth's`,
        ExitCode.data,
        `ss -xlp src ${path}`,
      );
    default:
      return connectFailure(`${path}: ${describe(error)}`, ExitCode.unavailable);
  }
}

function isSomethingElse(path: string): boolean {
  try {
    return (fileStatus(path).mode & FileType.mask) !== FileType.socket;
  } catch (error) {
    // Not there, or not to be looked at: the first error says what there is to say.
    if (error instanceof SystemError) return false;
    throw error;
  }
}
