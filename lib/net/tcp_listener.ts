/**
 * A listening TCP socket.
 *
 * @module
 */
import { closeListeningSocket, type ListeningSocket } from "./acceptor.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import {
  type HostPort,
  hostPortText,
  localAddress,
  NameError,
  resolveHost,
  type SocketAddress,
  withPort,
} from "../libc/inet_address.ts";
import { listenTcp, setTcpOptions } from "../libc/tcp_socket.ts";
import { shellWord } from "../text/shell_word.ts";

/** The length of the accept queue, in connections; the kernel limits it to `net.core.somaxconn`. */
const BACKLOG = 4096;

/** How a {@linkcode TcpListener} is opened. */
export interface TcpListenerOptions {
  /** A socket that listens there already; owned by the listener. */
  readonly inherited?: Descriptor | null;
  /** Whether `[::]` leaves IPv4 to another listener on the same port. */
  readonly v6Only?: boolean;
  /** Finds the addresses of a host. By default the name service is asked, which blocks. */
  readonly resolve?: (host: string, port: number) => readonly SocketAddress[];
}

/** A listening socket and its address. */
export class TcpListener implements ListeningSocket {
  readonly socket: Descriptor;
  /** The address as the log writes it, such as `tcp:127.0.0.1:4569`. */
  readonly name: string;
  readonly port: number;

  /** @param socket Owned by the listener, also when this throws. */
  private constructor(socket: Descriptor) {
    this.socket = socket;
    try {
      const address = localAddress(socket);
      this.name = `tcp:${hostPortText(address)}`;
      this.port = address.port;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** A TCP socket has no file. */
  unlink(): void {}

  /** Nothing but the socket excludes another server. */
  release(): void {}

  /**
   * Sockets that another data plane has opened.
   *
   * @param sockets At least one; owned, also when this throws.
   * @throws {SystemError} When the kernel does not say where one of them listens.
   */
  static ofOther(sockets: readonly Descriptor[]): readonly TcpListener[] {
    try {
      return sockets.map((one) => new TcpListener(one));
    } catch (error) {
      sockets.forEach((one) => one.close());
      throw error;
    }
  }

  /**
   * Listens on every address of a host, such as both of `localhost`. Those that this machine does
   * not have are left out, unless it has none.
   *
   * @param address A host name or address in digits, and a port; port 0 is chosen by the kernel.
   * @param options See {@linkcode TcpListenerOptions}.
   * @returns At least one listener.
   * @throws {Failure} 69 when an address is in use or the host has no address, 71 when the system
   * refuses.
   */
  static openAll(
    address: HostPort,
    { inherited = null, v6Only = false, resolve = resolveForListener }: TcpListenerOptions = {},
  ): readonly [TcpListener, ...TcpListener[]] {
    if (inherited !== null) {
      try {
        // Accepted connections inherit them, whichever process has opened the socket.
        setTcpOptions(inherited);
      } catch (error) {
        inherited.close();
        throw explain(address, error);
      }
      return [new TcpListener(inherited)];
    }
    const listeners: TcpListener[] = [];
    let absent: SystemError | null = null;
    try {
      const several = resolve(address.host, address.port);
      for (const one of several) {
        try {
          const port = listeners[0]?.port ?? address.port;
          // Two listeners share a port only where the IPv6 one leaves IPv4 to the other.
          const socket = listenTcp(withPort(one, port), BACKLOG, v6Only || several.length > 1);
          listeners.push(new TcpListener(socket));
        } catch (error) {
          if (!(error instanceof SystemError) || !ABSENT.includes(error.errno)) throw error;
          absent = error;
        }
      }
      const [first, ...others] = listeners;
      if (first === undefined) throw absent;
      return [first, ...others];
    } catch (error) {
      listeners.forEach(closeListeningSocket);
      throw explain(address, error);
    }
  }
}

function resolveForListener(host: string, port: number): readonly SocketAddress[] {
  return resolveHost(host, port, true);
}

/** Errors of an address that this machine does not have, or not now. */
const ABSENT: readonly number[] = [Errno.EADDRNOTAVAIL, Errno.EAFNOSUPPORT];

/** A name for all the listeners of a host: its only address, or the host itself. */
export function listenersName({ host }: HostPort, [first, ...others]: readonly TcpListener[]) {
  return others.length === 0 ? first!.name : `tcp:${hostPortText({ host, port: first!.port })}`;
}

function explain(address: HostPort, error: unknown): unknown {
  const where = hostPortText(address);
  if (error instanceof NameError) {
    return new Failure(`Cannot listen on ${where}: ${error.message}`, {
      // Not a mistake in the configuration: at the start of a machine, its names come late.
      exit: ExitCode.unavailable,
      hint: `getent ahosts ${shellWord(address.host)}`,
      cause: error,
    });
  }
  if (!(error instanceof SystemError)) return error;
  if (error.errno === Errno.EADDRINUSE) {
    return new Failure(`A server is already running on ${where}`, {
      exit: ExitCode.unavailable,
      hint: "ipcauth serve --tcp=HOST:OTHER-PORT, or stop the other server",
      cause: error,
    });
  }
  const hint = HINTS.get(error.errno);
  return new Failure(`Cannot listen on ${where}: ${describe(error.errno)}`, {
    exit: ExitCode.os,
    ...hint === undefined ? {} : { hint },
    cause: error,
  });
}

/** What helps where the kernel refuses an address (`bind(2)`, `ip(7)`). */
const HINTS: ReadonlyMap<number, string> = new Map([
  [Errno.EADDRNOTAVAIL, "ip -brief address lists those of this machine"],
  [Errno.EACCES, "start it as root, or choose a port from 1024 on"],
]);
