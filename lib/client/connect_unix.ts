/**
 * Connects to a Unix socket, and checks which user its server runs as.
 *
 * @module
 */
import { ExitCode, type Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { fileStatus, FileType, linkStatus } from "../libc/file_status.ts";
import type { SocketAddress } from "../libc/inet_address.ts";
import { peerCredentials, ucred } from "../libc/peer_credentials.ts";
import { overflowUid } from "../libc/overflow_uid.ts";
import { connect, unixSocket } from "../libc/sockets.ts";
import { AddressError, unixAddress } from "../libc/unix_address.ts";
import { ConnectQueue } from "../net/connect_queue.ts";
import type { Scheduler } from "../net/connector.ts";
import { restoreHint } from "../net/restore_hint.ts";
import { shellWord } from "../text/shell_word.ts";
import { connectFailure } from "./connect_failure.ts";

/** The users that a server may run as, beside root. */
export interface Trust {
  /** The effective uid of this process. */
  readonly ownUid: number;
  /** The uid that `--server-user` names, or null. */
  readonly serverUid: number | null;
}

/** How long to try. */
export interface ConnectLimit {
  /** How long a server with a full backlog is awaited, in milliseconds; 10 s by default. */
  readonly timeoutMs?: number | undefined;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Errors after which the next path is tried. A socket that exists and refuses is an answer. */
const TRY_NEXT: readonly number[] = [
  Errno.ENOENT,
  Errno.ENOTDIR,
  // After su or run-as, XDG_RUNTIME_DIR may still be the first user's, which is not accessible.
  Errno.EACCES,
];

/**
 * Connects to the first path that has a socket.
 *
 * @param paths Paths of sockets, in order.
 * @param trust The users that the server may run as, beside root.
 * @returns The connection and its path. The caller owns it.
 * @throws {Failure} 69 when there is no server, 77 when this process may not connect or the server
 * runs as another user.
 * @throws The reason of the signal.
 */
export async function connectUnix(
  paths: readonly string[],
  trust: Trust,
  limit: ConnectLimit = {},
): Promise<{ connection: Descriptor; path: string }> {
  let absent: Failure | null = null;
  let denied: Failure | null = null;
  for (const path of paths) {
    const { connection, error } = await tryConnect(path, limit);
    if (connection !== null) {
      try {
        requireTrusted(connection, path, trust);
      } catch (failure) {
        connection.close();
        throw failure;
      }
      return { connection, path };
    }
    const failure = explainError(path, error);
    if (!TRY_NEXT.includes(error)) throw failure;
    if (error === Errno.EACCES) denied ??= failure;
    else absent ??= failure;
  }
  throw denied ?? absent ??
    connectFailure("there is no socket to connect to", ExitCode.unavailable);
}

/** Connects; waits where the backlog is full. */
async function tryConnect(
  path: string,
  { timeoutMs = CONNECT_TIMEOUT_MS, signal }: ConnectLimit,
): Promise<{ connection: Descriptor; error: 0 } | { connection: null; error: number }> {
  signal?.throwIfAborted();
  const address = addressOf(path);
  const attempt = (): Descriptor | number => {
    const connection = unixSocket();
    const error = connect(connection, address);
    if (error === 0) return connection;
    connection.close();
    return error;
  };
  const result = attempt();
  if (typeof result !== "number") return { connection: result, error: 0 };
  if (result !== Errno.EAGAIN) return { connection: null, error: result };
  const outcome = Promise.withResolvers<
    { connection: Descriptor; error: 0 } | { connection: null; error: number }
  >();
  const cancel = new ConnectQueue(RUNTIME_TIMERS).add(attempt, timeoutMs, {
    onConnected: (connection) => outcome.resolve({ connection, error: 0 }),
    onConnectError: (error) => {
      if (error.kind === "system") return outcome.reject(error.cause);
      const number = error.kind === "refused" ? error.errno : Errno.EAGAIN;
      outcome.resolve({ connection: null, error: number });
    },
  });
  const abort = () => {
    cancel();
    outcome.reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort);
  try {
    return await outcome.promise;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function addressOf(path: string): SocketAddress {
  try {
    return unixAddress(path);
  } catch (error) {
    if (error instanceof AddressError) {
      throw connectFailure(error.message, ExitCode.usage, "choose another path", error);
    }
    throw error;
  }
}

/** The runtime's own clock and timers. */
const RUNTIME_TIMERS: Scheduler = {
  now: () => performance.now(),
  after: (milliseconds, run) => {
    const timer = setTimeout(run, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

/**
 * Requires a trusted server: any user can listen on a path in a shared directory. The kernel
 * recorded its credentials at `listen()` (`unix(7)`, `SO_PEERCRED`).
 */
function requireTrusted(connection: Descriptor, path: string, { ownUid, serverUid }: Trust): void {
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
    `ipcauth connect --unix=${
      shellWord(path)
    } --server-user ${uid}, if you know that this is right`,
  );
}

/**
 * Whether a uid is the overflow uid (`proc_sys_kernel(5)`), which stands for every uid without a
 * mapping in this user namespace.
 */
function isShared(uid: number): boolean {
  return overflowUid() === uid;
}

function explainError(path: string, error: number): Failure {
  // connect(2) reports the same errors for other files as for a socket without a server or
  // permission.
  if (isSomethingElse(path)) {
    return connectFailure(`${path} is not a socket`, ExitCode.data, `ls -ld ${shellWord(path)}`);
  }
  switch (error) {
    case Errno.ENOENT:
      return connectFailure(
        isLocked(path)
          ? `there is no socket ${path}, and the lock file of a server beside it`
          : `there is no socket ${path}`,
        ExitCode.unavailable,
        // A server whose socket file was removed holds the lock, and none could be started.
        isLocked(path) ? `${restoreHint(path)} || ${serveHint(path)}` : serveHint(path),
      );
    case Errno.ECONNREFUSED:
      return connectFailure(
        `no server is listening on ${path}`,
        ExitCode.unavailable,
        serveHint(path),
      );
    case Errno.EAGAIN:
      return connectFailure(`the server on ${path} is too busy`, ExitCode.unavailable);
    case Errno.EACCES:
    case Errno.EPERM:
      return connectFailure(
        `permission denied on ${path}`,
        ExitCode.refused,
        `ls -ld ${shellWord(path)}`,
      );
    case Errno.EPROTOTYPE:
      return connectFailure(
        `${path} is a socket of another kind than ipcauth's`,
        ExitCode.data,
        `ss -xlp src ${shellWord(path)}`,
      );
    default:
      return connectFailure(`${path}: ${describe(error)}`, ExitCode.unavailable);
  }
}

function serveHint(path: string): string {
  return `ipcauth serve --unix=${shellWord(path)}`;
}

/** Whether a server's lock file stands there: of one that runs, or that was killed. */
function isLocked(path: string): boolean {
  try {
    return linkStatus(`${path}.lock`) !== null;
  } catch {
    return false;
  }
}

function isSomethingElse(path: string): boolean {
  try {
    return (fileStatus(path).mode & FileType.mask) !== FileType.socket;
  } catch (error) {
    // Missing or inaccessible: the first error is the one to report.
    if (error instanceof SystemError) return false;
    throw error;
  }
}
