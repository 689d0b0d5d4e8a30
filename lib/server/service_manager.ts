/**
 * What a service manager such as systemd tells us, and is told (`sd_notify(3)`, `sd_listen_fds(3)`,
 * `sd_watchdog_enabled(3)`).
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { type InheritedAddress, inspectInherited } from "../libc/inherited_sockets.ts";
import { monotonicMicroseconds, notify, notifySocket } from "../libc/notify_socket.ts";

/** The first descriptor that is passed: behind input, output and errors. */
const LISTEN_FDS_START = 3;
/** No service has more sockets, and a number from outside does not make us try them all. */
const MOST = 256;

type Environment = Readonly<Record<string, string | undefined>>;

/** A socket that was opened for us. The number, and the duty to close it, are the holder's. */
export type Inherited = InheritedAddress & { readonly descriptor: number };

/**
 * The sockets that were opened for this process.
 *
 * @throws {Failure} 78 when one of them is nothing that can be served.
 */
export function inheritedSockets(env: Environment, pid: number): readonly Inherited[] {
  // Variables that are meant for another process are an inheritance of ours, and no sockets.
  if (env.LISTEN_PID !== String(pid)) return [];
  const count = /^[0-9]{1,3}$/.test(env.LISTEN_FDS ?? "") ? Number(env.LISTEN_FDS) : 0;
  return Array.from({ length: Math.min(count, MOST) }, (_, index) => {
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
}

/** Keeps the service manager informed, where there is one. */
export class ServiceManager {
  readonly #socket: Descriptor | null;
  /** How often the manager wants to hear from us, in milliseconds; null where it does not. */
  readonly watchdog: number | null;

  constructor(env: Environment, pid: number) {
    this.#socket = open(env.NOTIFY_SOCKET);
    const microseconds = Number(env.WATCHDOG_USEC);
    const isOurs = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid);
    const wanted = this.#socket !== null && isOurs && microseconds > 0;
    // Half the time, as sd_watchdog_enabled(3) recommends.
    this.watchdog = wanted ? Math.max(1, Math.floor(microseconds / 2000)) : null;
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
