/**
 * The interface to a service manager such as systemd (`sd_notify(3)`, `sd_listen_fds(3)`,
 * `sd_watchdog_enabled(3)`).
 *
 * @module
 */
import { listenerAddress } from "../net/address.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import {
  type InheritedSocket,
  inheritedText,
  inspectInherited,
} from "../libc/inherited_sockets.ts";
import { monotonicMicroseconds, notify, notifySocket } from "../libc/notify_socket.ts";

/** The first passed descriptor, after standard input, output and error. */
const LISTEN_FDS_START = 3;
/** The largest number of sockets that is accepted. */
const MAX_SOCKETS = 256;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The sockets that the service manager opened for this process.
 *
 * @param env `LISTEN_PID` and `LISTEN_FDS`.
 * @throws {Failure} 78 when one of them is not a listening stream socket, when two have the same
 * address, or when `LISTEN_FDS` is not a number.
 */
export function inheritedSockets(env: Variables, pid: number): readonly InheritedSocket[] {
  // Inherited variables that were meant for another process.
  if (env.LISTEN_PID !== String(pid)) return [];
  const sockets = Array.from({ length: countOf(env.LISTEN_FDS) }, (_, index) => {
    const descriptor = LISTEN_FDS_START + index;
    const found = inspectInherited(descriptor);
    if (typeof found !== "string") return { ...found, descriptor };
    throw new Failure(
      `Cannot serve the socket that was passed as descriptor ${descriptor}: ${found}`,
      {
        exit: ExitCode.config,
        hint: "systemctl cat ipcauth.socket: ListenStream= with a path or an address",
      },
    );
  });
  requireDifferent(sockets);
  return sockets;
}

/** An unreadable count is an error and not 0: the clients of those sockets would wait for ever. */
function countOf(text: string | undefined): number {
  if (!text) return 0;
  const count = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (count <= MAX_SOCKETS) return count;
  throw new Failure(
    `LISTEN_FDS is ${JSON.stringify(text)}, which is not a number from 0 to ${MAX_SOCKETS}`,
    { exit: ExitCode.config, hint: "env -u LISTEN_FDS -u LISTEN_PID ipcauth serve" },
  );
}

/**
 * The kernel distributes connections over all sockets of an address (`socket(7)`, `SO_REUSEPORT`).
 */
function requireDifferent(sockets: readonly InheritedSocket[]): void {
  const seen = new Map<string, number>();
  for (const socket of sockets) {
    const address = listenerAddress(socket);
    const other = seen.get(address);
    if (other === undefined) {
      seen.set(address, socket.descriptor);
      continue;
    }
    throw new Failure(
      `The sockets that were passed as descriptors ${other} and ${socket.descriptor} are both ${
        inheritedText(socket)
      }`,
      {
        exit: ExitCode.config,
        hint: "systemctl cat ipcauth.socket: one ListenStream= an address",
      },
    );
  }
}

/** The longest interval of a timer of the runtime, in milliseconds; longer ones fire at once. */
const MAX_INTERVAL_MS = 2 ** 31 - 1;

/**
 * How often the watchdog is notified: half its time, as `sd_watchdog_enabled(3)` recommends.
 *
 * @param env `WATCHDOG_PID` and `WATCHDOG_USEC`.
 * @returns Milliseconds, or null without a watchdog.
 */
export function watchdogInterval(env: Variables, pid: number): number | null {
  const { WATCHDOG_PID, WATCHDOG_USEC } = env;
  if (WATCHDOG_PID && WATCHDOG_PID !== String(pid)) return null;
  const microseconds = /^[0-9]+$/.test(WATCHDOG_USEC ?? "") ? Number(WATCHDOG_USEC) : 0;
  if (microseconds === 0) return null;
  return Math.min(MAX_INTERVAL_MS, Math.max(1, Math.floor(microseconds / 2000)));
}

/** Notifies the service manager, where there is one. */
export class ServiceManager {
  readonly #socket: Descriptor | null;
  /** How often {@linkcode alive} is to be called, in milliseconds; null without a watchdog. */
  readonly watchdog: number | null;

  constructor(env: Variables, pid: number) {
    this.#socket = open(env.NOTIFY_SOCKET);
    this.watchdog = this.#socket === null ? null : watchdogInterval(env, pid);
  }

  /** Every listener is open, or a reload is done. @param status A line for `systemctl status`. */
  ready(status: string): void {
    this.#notify(`READY=1\nSTATUS=${status}`);
  }

  /** A reload starts. */
  reloading(): void {
    this.#notify(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicroseconds()}`);
  }

  /** The server is stopping. */
  stopping(): void {
    this.#notify("STOPPING=1\nSTATUS=Waiting for sessions to end");
  }

  /** Both planes are alive: restarts the watchdog's time. */
  alive(): void {
    this.#notify("WATCHDOG=1");
  }

  /** Closes the socket. */
  close(): void {
    this.#socket?.close();
  }

  #notify(message: string): void {
    if (this.#socket !== null) notify(this.#socket, message);
  }
}

function open(name: string | undefined): Descriptor | null {
  if (!name) return null;
  try {
    return notifySocket(name);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // A missing service manager is no reason not to serve.
    return null;
  }
}
