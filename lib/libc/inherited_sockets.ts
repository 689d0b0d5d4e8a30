/**
 * Sockets that whoever started us has opened for us (`sd_listen_fds(3)`).
 *
 * @module
 */
import { check, SystemError } from "./errno.ts";
import { endpointText, ownEndpoint } from "./inet.ts";
import { Descriptor } from "./descriptor.ts";
import { boundName } from "./sockets.ts";
import { libc } from "./symbols.ts";

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const SOCK_STREAM = 1;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const F_SETFD = 2;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;

/** Where an inherited socket listens: a path, or a host and a port. */
export type InheritedAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** An inherited socket. The descriptor is owned by the holder. */
export type InheritedSocket = InheritedAddress & { readonly descriptor: number };

/**
 * Looks at an inherited descriptor, and makes it ours: non-blocking, and no program's that we start.
 *
 * @param number The descriptor, which somebody else has opened.
 * @returns Where it listens, or what is wrong with it.
 */
export function inspectInherited(number: number): InheritedAddress | string {
  let domain: number;
  try {
    domain = option(number, SO_DOMAIN);
    if (option(number, SO_TYPE) !== SOCK_STREAM) return "it is not a stream socket";
    if (option(number, SO_ACCEPTCONN) !== 1) return "it does not listen";
    check("fcntl", libc.fcntl(number, F_SETFD, FD_CLOEXEC));
    check("fcntl", libc.fcntl(number, F_SETFL, O_NONBLOCK));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return "it is not an open socket";
  }
  // Only looked at: whoever serves on it becomes its owner.
  const socket = new Descriptor(number);
  try {
    if (domain === AF_UNIX) {
      const path = boundName(socket);
      return path.startsWith("/")
        ? { kind: "unix", path }
        : "it is an abstract socket, which has no file permissions";
    }
    if (domain === AF_INET || domain === AF_INET6) {
      return { kind: "tcp", ...ownEndpoint(socket) };
    }
    return "it is neither a Unix nor a TCP socket";
  } finally {
    socket.release();
  }
}

/** An address as people write it. */
export function inheritedText(address: InheritedAddress): string {
  return address.kind === "unix" ? `unix:${address.path}` : `tcp:${endpointText(address)}`;
}

const value = new Int32Array(1);
const valueBytes = new Uint8Array(value.buffer);
const length = new Uint8Array(4);

function option(number: number, name: number): number {
  new DataView(length.buffer).setUint32(0, valueBytes.length, true);
  check("getsockopt", libc.getsockopt(number, SOL_SOCKET, name, valueBytes, length));
  return value[0]!;
}
