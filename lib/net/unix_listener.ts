/**
 * A Unix socket that is ours alone: made with the right mode, held by a lock, removed only by us.
 *
 * @module
 */
import { dirname } from "@std/path";
import { ExitCode, Failure } from "../errors.ts";
import type { UnixListenerConfig } from "../config/types.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import { giveDirectory } from "../libc/file_owner.ts";
import { fileStatus, FileType, linkStatus } from "../libc/file_status.ts";
import { LockFile } from "../libc/files.ts";
import { bind, connect, listen, unixSocket } from "../libc/sockets.ts";
import { AddressError, unixAddress } from "../libc/unix_address.ts";
import { effectiveUid } from "../libc/ids.ts";
import { withUmask } from "../libc/umask.ts";
import { checkDirectory } from "../files/permissions.ts";

/** How many connections may wait to be accepted; the kernel cuts it to `net.core.somaxconn`. */
const BACKLOG = 4096;

/** A listening socket, its lock, and the file that stands for it. */
export class UnixListener {
  readonly config: UnixListenerConfig;
  readonly socket: Descriptor;
  /** As the log names it, such as `unix:/run/ipcauth/ipc.sock`. */
  readonly name: string;
  /** Null where the socket is somebody else's, who opened it for us. */
  readonly #lock: LockFile | null;
  readonly #identity: string | null;

  private constructor(
    config: UnixListenerConfig,
    socket: Descriptor,
    lock: LockFile | null,
    identity: string | null,
  ) {
    this.config = config;
    this.name = `unix:${config.path}`;
    this.socket = socket;
    this.#lock = lock;
    this.#identity = identity;
  }

  /**
   * Opens a listener.
   *
   * @param config Its path and mode.
   * @param serverUid Who may own the directory, beside root.
   * @param inherited A socket that listens there already, opened by a service manager: name and mode are its own.
   * @throws {Failure} 69 when a server is there already, 73 when something else is, 78 when the directory
   * is not safe, 71 when the system refuses.
   */
  static open(
    config: UnixListenerConfig,
    serverUid: number,
    inherited: Descriptor | null = null,
  ): UnixListener {
    const { path } = config;
    if (inherited !== null) {
      demandSafe(dirname(path), serverUid);
      return new UnixListener(config, inherited, null, null);
    }
    const address = addressOf(path);
    prepareDirectory(dirname(path), serverUid);
    const lock = takeLock(path);
    try {
      removeStale(path, address);
      const socket = unixSocket();
      try {
        // The kernel makes the file with the bits that the mask leaves, so it never has any others. This
        // thread has a mask of its own: no file of the other plane is made with this one.
        withUmask(0o777 & ~config.mode, () => bind(socket, address));
        const made = linkStatus(path);
        if (made === null || (made.mode & 0o7777) !== config.mode) {
          throw new Failure(
            `Cannot give ${path} the mode ${
              octal(config.mode)
            }: the directory's default ACL overrides it`,
            { exit: ExitCode.os, hint: `setfacl -k ${dirname(path)}` },
          );
        }
        listen(socket, BACKLOG);
        return new UnixListener(config, socket, lock, made.identity);
      } catch (error) {
        socket.close();
        throw error;
      }
    } catch (error) {
      lock.release();
      throw error instanceof SystemError ? systemFailure(path, error) : error;
    }
  }

  /** Takes the name away, so that nobody finds the socket any more. Only if it is still ours. */
  unlink(): void {
    if (this.#identity === null) return;
    try {
      if (linkStatus(this.config.path)?.identity !== this.#identity) return;
      Deno.removeSync(this.config.path);
    } catch {
      // Who has given up root may not be allowed to. The next server replaces a socket that nobody listens on.
    }
  }

  /** Lets the next server in. The socket itself is closed by whoever watches it. */
  release(): void {
    this.#lock?.release();
  }
}

function addressOf(path: string): Uint8Array<ArrayBuffer> {
  try {
    return unixAddress(path);
  } catch (cause) {
    if (!(cause instanceof AddressError)) throw cause;
    throw new Failure(`Cannot listen: ${cause.message}`, { exit: ExitCode.usage, cause });
  }
}

function prepareDirectory(directory: string, serverUid: number): void {
  try {
    Deno.mkdirSync(directory, { mode: 0o755 });
    // Who is going to give up root has to be able to take the socket away at the end.
    if (effectiveUid() !== serverUid) giveDirectory(directory, serverUid);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Failure(`There is no directory ${dirname(directory)}`, {
        exit: ExitCode.os,
        hint: `mkdir -p ${directory}`,
      });
    }
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new Failure(`Cannot create the directory ${directory}`, {
        exit: ExitCode.os,
        cause: error,
      });
    }
  }
  demandSafe(directory, serverUid);
}

function demandSafe(directory: string, serverUid: number): void {
  const problem = checkDirectory(fileStatus(directory), directory, serverUid);
  if (problem !== null) {
    throw new Failure(`The socket directory ${problem.sentence}`, {
      exit: ExitCode.config,
      hint: problem.fix,
    });
  }
}

function takeLock(path: string): LockFile {
  let lock: LockFile | null;
  try {
    lock = LockFile.tryAcquire(`${path}.lock`);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new Failure(`Cannot lock ${path}.lock: ${describe(error.errno)}`, {
      exit: ExitCode.os,
      cause: error,
    });
  }
  if (lock !== null) return lock;
  throw alreadyRunning(path);
}

/**
 * Makes room for our socket. What answers, or is too busy to answer, is alive; only a socket that nobody
 * listens on any more is removed.
 */
function removeStale(path: string, address: Uint8Array<ArrayBuffer>): void {
  const found = linkStatus(path);
  if (found === null) return;
  if ((found.mode & FileType.mask) !== FileType.socket) {
    throw new Failure(`${path} exists and is not a socket`, {
      exit: ExitCode.exists,
      hint: "choose another path, or move that file away",
    });
  }
  using probe = unixSocket();
  const outcome = connect(probe, address);
  if (outcome !== Errno.ECONNREFUSED) throw alreadyRunning(path);
  Deno.removeSync(path);
}

function alreadyRunning(path: string): Failure {
  return new Failure(`A server is already running on ${path}`, {
    exit: ExitCode.unavailable,
    hint: `ipcauth serve --unix=OTHER-PATH, or stop the other one`,
  });
}

function systemFailure(path: string, error: SystemError): Failure {
  return new Failure(`Cannot listen on ${path}: ${error.message}`, {
    exit: ExitCode.os,
    cause: error,
  });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
