/**
 * A listening Unix socket: created with its final mode, held by a lock file, removed only while it
 * is this server's.
 *
 * @module
 */
import { dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import type { ListeningSocket } from "./acceptor.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { lockFailure, LockFile } from "../files/lock_file.ts";
import { shellWord } from "../text/shell_word.ts";
import { linkStatus } from "../libc/file_status.ts";
import { removeName } from "../libc/path_names.ts";
import { bind, connect, listen, unixSocket } from "../libc/sockets.ts";
import { withUmask } from "../libc/umask.ts";
import { restoreHint } from "./restore_hint.ts";
import {
  prepareSocketPlace,
  requireSafePlace,
  requireSocket,
  socketAddress,
} from "./socket_place.ts";
import { octalMode } from "../files/permissions.ts";

/** The length of the accept queue, in connections; the kernel limits it to `net.core.somaxconn`. */
const BACKLOG = 4096;

/** The socket file of a listener. */
export interface SocketFile {
  readonly path: string;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
}

/** A listening socket, its lock and its file. */
export class UnixListener implements ListeningSocket {
  readonly socket: Descriptor;
  /** The address as the log writes it, such as `unix:/run/ipcauth/ipc.sock`. */
  readonly name: string;
  /** The directory that was made for the socket, or null where it was there already. */
  readonly madeDirectory: string | null;
  readonly #path: string;
  /** Null where another one opened the socket and owns its file. */
  readonly #lock: LockFile | null;
  /** Device and inode of the file; null where another one owns it. */
  readonly #identity: string | null;

  private constructor(
    path: string,
    socket: Descriptor,
    lock: LockFile | null,
    identity: string | null,
    madeDirectory: string | null,
  ) {
    this.#path = path;
    this.madeDirectory = madeDirectory;
    this.name = `unix:${path}`;
    this.socket = socket;
    this.#lock = lock;
    this.#identity = identity;
  }

  /**
   * Opens a listener.
   *
   * @param file Path and mode of the socket file.
   * @param serverUid The uid that may own the directory, beside root.
   * @param inherited A socket that a service manager opened there; owned by the listener, also when
   * this throws. Path and mode stay as they are.
   * @param madeBefore The directory where it was made for this listener already.
   * @throws {Failure} 69 when a server is running there, 73 when another file is there, 78 when the
   * directory is not trusted, 71 when the system refuses.
   */
  static open(
    file: SocketFile,
    serverUid: number,
    inherited: Descriptor | null = null,
    madeBefore: string | null = null,
  ): UnixListener {
    const { path } = file;
    if (inherited !== null) {
      try {
        requireSafePlace(path, serverUid);
      } catch (error) {
        inherited.close();
        throw error;
      }
      return new UnixListener(path, inherited, null, null, null);
    }
    const address = socketAddress(path);
    const made = prepareSocketPlace(path, serverUid) ?? madeBefore;
    const lock = takeLock(path);
    try {
      removeStale(path, address);
      const socket = unixSocket();
      let isBound = false;
      try {
        // The kernel creates the file with the bits that the mask leaves, so it never has another
        // mode. The mask is this thread's own (separateUmask): files of the control plane are not
        // affected.
        withUmask(0o777 & ~file.mode, () => bind(socket, address));
        isBound = true;
        const bound = linkStatus(path);
        if (bound === null || (bound.mode & 0o7777) !== file.mode) {
          throw new Failure(
            `Cannot give ${path} the mode ${
              octalMode(file.mode)
            }: the directory's default ACL overrides it`,
            { exit: ExitCode.os, hint: `setfacl -k ${shellWord(dirname(path))}` },
          );
        }
        listen(socket, BACKLOG);
        return new UnixListener(path, socket, lock, bound.identity, made);
      } catch (error) {
        socket.close();
        // The lock is held, so no other server has put a socket there meanwhile.
        if (isBound) tryRemove(path);
        throw error;
      }
    } catch (error) {
      lock.release();
      throw error instanceof SystemError ? systemFailure(path, error) : error;
    }
  }

  /** A socket that another data plane has opened and whose file it owns. @param socket Owned. */
  static ofOther(path: string, socket: Descriptor): UnixListener {
    return new UnixListener(path, socket, null, null, null);
  }

  /**
   * Whether the socket file was removed, so that no client can connect. Not of a socket that a
   * service manager opened.
   */
  get isRemoved(): boolean {
    if (this.#identity === null) return false;
    try {
      return linkStatus(this.#path) === null;
    } catch {
      return false;
    }
  }

  /** Removes the socket file, if it is still the one this listener created. */
  unlink(): void {
    if (this.#identity === null) return;
    try {
      if (linkStatus(this.#path)?.identity === this.#identity) tryRemove(this.#path);
    } catch {
      // After --drop-to the directory may not be searchable.
    }
  }

  /** Releases the lock. */
  release(): void {
    this.#lock?.release();
  }
}

/**
 * Removes a socket file. After --drop-to its directory may not be writable; the next server
 * replaces the dead socket.
 */
function tryRemove(path: string): void {
  try {
    removeName(path);
  } catch {
    // It stays, and refuses connections.
  }
}

function takeLock(path: string): LockFile {
  let lock: LockFile | null;
  try {
    lock = LockFile.tryAcquire(`${path}.lock`);
  } catch (error) {
    throw lockFailure(`${path}.lock`, error);
  }
  if (lock !== null) return lock;
  throw alreadyRunning(path);
}

/**
 * Removes the socket file of a server that has ended. A server that accepts, or whose accept queue
 * is full, is running; only a socket that refuses connections is removed.
 */
function removeStale(path: string, address: Uint8Array<ArrayBuffer>): void {
  const found = linkStatus(path);
  requireSocket(path, found);
  if (found === null) return;
  using probe = unixSocket();
  const outcome = connect(probe, address);
  if (outcome !== Errno.ECONNREFUSED) throw alreadyRunning(path);
  removeName(path);
}

function alreadyRunning(path: string): Failure {
  if (linkStatus(path) === null) {
    return new Failure(`A server is already running on ${path}, and its socket file was removed`, {
      exit: ExitCode.unavailable,
      hint: restoreHint(path),
    });
  }
  return new Failure(`A server is already running on ${path}`, {
    exit: ExitCode.unavailable,
    hint: "ipcauth serve --unix=OTHER-PATH, or stop the other server",
  });
}

function systemFailure(path: string, error: SystemError): Failure {
  return new Failure(`Cannot listen on ${path}: ${error.message}`, {
    exit: ExitCode.os,
    cause: error,
  });
}
