/**
 * What a service manager such as systemd tells us, and is told (`sd_notify(3)`, `sd_listen_fds(3)`,
 * `sd_watchdog_enabled(3)`).
 *
 * @module
 */
import { listenerAddress } from "../net/listener_address.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import {
  type InheritedSocket,
  inheritedText,
  inspectInherited,
} from "../libc/inherited_sockets.ts";
import { monotonicMicroseconds, notify, notifySocket } from "../libc/notify_socket.ts";

/** The first descriptor that is passed: behind input, output and errors. */
const LISTEN_FDS_START = 3;
/** No service has more sockets, and a number from outside does not make us try them all. */
const MOST = 256;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The sockets that were opened for this process.
 *
 * @throws {Failure} 78 when one of them is nothing that can be served, when two of them are one address, or when it
 * is not said how many they are.
 */
export function inheritedSockets(env: Environment, pid: number): readonly InheritedSocket[] {
  // Variables that are meant for another process are an inheritance of ours, and no sockets.
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
  demandDifferent(sockets);
  return sockets;
}

/** What is not understood is not taken for none: the clients of those sockets would wait for ever. */
function countOf(text: string | undefined): number {
  if (!text) return 0;
  const count = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (count <= MOST) return count;
  throw new Failure(
    `LISTEN_FDS is ${JSON.stringify(text)}, and no number of sockets from 0 to ${MOST}`,
    { exit: ExitCode.config, hint: "env -u LISTEN_FDS -u LISTEN_PID ipcauth serve" },
  );
}

/** The kernel deals connections out among all sockets of an address (`SO_REUSEPORT` of `socket(7)`). */
function demandDifferent(sockets: readonly InheritedSocket[]): void {
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

/** The longest interval that a timer of the runtime can wait, in milliseconds: beyond it, it does not wait at all. */
const LONGEST = 2 ** 31 - 1;

/**
 * How often a service manager wants to hear from us: half the time it gives, as `sd_watchdog_enabled(3)` recommends.
 *
 * @returns Milliseconds, or null where it does not want to.
 */
export function watchdogInterval(env: Environment, pid: number): number | null {
  const { WATCHDOG_PID, WATCHDOG_USEC } = env;
  if (WATCHDOG_PID && WATCHDOG_PID !== String(pid)) return null;
  const microseconds = /^[0-9]+$/.test(WATCHDOG_USEC ?? "") ? Number(WATCHDOG_USEC) : 0;
  if (microseconds === 0) return null;
  return Math.min(LONGEST, Math.max(1, Math.floor(microseconds / 2000)));
}

/** Keeps the service manager informed, where there is one. */
export class ServiceManager {
  readonly #socket: Descriptor | null;
  /** How often the manager wants to hear from us, in milliseconds; null where it does not. */
  readonly watchdog: number | null;

  constructor(env: Environment, pid: number) {
    this.#socket = open(env.NOTIFY_SOCKET);
    this.watchdog = this.#socket === null ? null : watchdogInterval(env, pid);
  }

  /** Everything listens, or a reload is done. */
  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
  }

  /** A reload begins. */
  reloading(): void {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicroseconds()}`);
  }

  /** The end begins. */
  stopping(): void {
    this.#tell("STOPPING=1\nSTATUS=Waiting for sessions to end");
  }

  /** Both planes are alive. */
  alive(): void {
    this.#tell("WATCHDOG=1");
  }

  /** Says no more. */
  close(): void {
    this.#socket?.close();
  }

  #tell(message: string): void {
    if (this.#socket !== null) notify(this.#socket, message);
  }
}

function open(name: string | undefined): Descriptor | null {
  if (!name) return null;
  try {
    return notifySocket(name);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // A manager that does not listen cannot be told, and that is no reason not to serve.
    return null;
  }
}
