/**
 * A listening TCP socket.
 *
 * @module
 */
import type { ListeningSocket } from "./acceptor.ts";
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
} from "../libc/inet_address.ts";
import { listenTcp } from "../libc/tcp_socket.ts";

/** The length of the accept queue, in connections; the kernel limits it to `net.core.somaxconn`. */
const BACKLOG = 4096;

/** A listening socket and its address. */
export class TcpListener implements ListeningSocket {
  readonly socket: Descriptor;
  /** The address as the log writes it, such as `tcp:127.0.0.1:4569`. */
  readonly name: string;

  /** @param socket Owned by the listener, also when this throws. */
  private constructor(socket: Descriptor) {
    this.socket = socket;
    try {
      this.name = `tcp:${hostPortText(localAddress(socket))}`;
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
   * Listens on the first address of a host.
   *
   * @param address A host name or address in digits, and a port; port 0 is chosen by the kernel.
   * @param inherited A socket that listens there already; owned by the listener.
   * @throws {Failure} 69 when the address is in use, 78 when the host has no address, 71 when the
   * system refuses.
   */
  static open(address: HostPort, inherited: Descriptor | null = null): TcpListener {
    if (inherited !== null) return new TcpListener(inherited);
    const where = hostPortText(address);
    try {
      return new TcpListener(listenTcp(resolve(address), BACKLOG));
    } catch (error) {
      if (error instanceof NameError) {
        throw new Failure(`Cannot listen on ${where}: ${error.message}`, {
          exit: ExitCode.config,
          hint: `getent ahosts ${address.host}`,
          cause: error,
        });
      }
      if (!(error instanceof SystemError)) throw error;
      if (error.errno === Errno.EADDRINUSE) {
        throw new Failure(`A server is already running on ${where}`, {
          exit: ExitCode.unavailable,
          hint: "ipcauth serve --tcp=HOST:OTHER-PORT, or stop the other server",
          cause: error,
        });
      }
      throw new Failure(`Cannot listen on ${where}: ${describe(error.errno)}`, {
        exit: ExitCode.os,
        cause: error,
      });
    }
  }
}

function resolve({ host, port }: HostPort): SocketAddress {
  const [address] = resolveHost(host, port, true);
  if (address === undefined) throw new NameError(`the host "${host}" has no address`);
  return address;
}
