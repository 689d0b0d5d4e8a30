/**
 * A TCP socket that listens.
 *
 * @module
 */
import type { TcpListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import {
  hostPortText,
  localAddress,
  NameError,
  resolveHost,
  type SocketAddress,
} from "../libc/inet_address.ts";
import { listenTcp } from "../libc/tcp_socket.ts";

/** How many connections may wait to be accepted; the kernel cuts it to `net.core.somaxconn`. */
const BACKLOG = 4096;

/** A listening socket and what it listens on. */
export class TcpListener {
  readonly config: TcpListenerConfig;
  readonly socket: Descriptor;
  /** As the log names it, such as `tcp:127.0.0.1:4569`. */
  readonly name: string;

  private constructor(config: TcpListenerConfig, socket: Descriptor) {
    this.config = config;
    this.socket = socket;
    this.name = `tcp:${hostPortText(localAddress(socket))}`;
  }

  /**
   * Opens a listener, on the first address of the host.
   *
   * @param inherited A socket that listens there already, which becomes ours.
   * @throws {Failure} 69 when somebody listens there already, 78 when the host has no address, 71 when the
   * system refuses.
   */
  static open(config: TcpListenerConfig, inherited: Descriptor | null = null): TcpListener {
    if (inherited !== null) return new TcpListener(config, inherited);
    const where = hostPortText(config);
    try {
      return new TcpListener(config, listenTcp(resolve(config), BACKLOG));
    } catch (error) {
      if (error instanceof NameError) {
        throw new Failure(`Cannot listen on ${where}: ${error.message}`, {
          exit: ExitCode.config,
          hint: `getent ahosts ${config.host}`,
          cause: error,
        });
      }
      if (!(error instanceof SystemError)) throw error;
      if (error.errno === Errno.EADDRINUSE) {
        throw new Failure(`A server is already running on ${where}`, {
          exit: ExitCode.unavailable,
          hint: "ipcauth serve --tcp=HOST:OTHER-PORT, or stop the other one",
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

function resolve({ host, port }: TcpListenerConfig): SocketAddress {
  const [address] = resolveHost(host, port, true);
  if (address === undefined) throw new NameError(`the host "${host}" has no address`);
  return address;
}
