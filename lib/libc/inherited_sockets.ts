/**
 * Listening sockets that the parent process has opened: socket activation, `sd_listen_fds(3)`.
 *
 * @module
 */
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  O_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, SystemError } from "./errno.ts";
import { hostPortText, localAddress } from "./inet_address.ts";
import { readOption } from "./socket_options.ts";
import { libc } from "./symbols.ts";
import { localPath } from "./unix_address.ts";

// asm-generic/socket.h
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;

/** The address that an inherited socket listens on. */
export type InheritedAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * An inherited socket: its address, and the number of its descriptor, which the holder must close.
 */
export type InheritedSocket = InheritedAddress & { readonly descriptor: number };

/**
 * Checks an inherited descriptor, and makes it non-blocking and close-on-exec. The caller remains
 * its owner.
 *
 * @param number The number of the descriptor.
 * @returns Its address, or the sentence that says why it cannot be served.
 */
export function inspectInherited(number: number): InheritedAddress | string {
  let domain: number;
  try {
    domain = readOption(number, SOL_SOCKET, SO_DOMAIN);
    if (readOption(number, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM) return "it is not a stream socket";
    if (readOption(number, SOL_SOCKET, SO_ACCEPTCONN) !== 1) return "it does not listen";
    check("fcntl", libc.fcntl(number, F_SETFD, FD_CLOEXEC));
    check("fcntl", libc.fcntl(number, F_SETFL, O_NONBLOCK));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return "it is not an open socket";
  }
  // Released again below: the caller owns the number.
  const socket = new Descriptor(number);
  try {
    if (domain === AF_UNIX) {
      const path = localPath(socket);
      return path.startsWith("/")
        ? { kind: "unix", path }
        : "it is an abstract socket, which has no file permissions";
    }
    if (domain === AF_INET || domain === AF_INET6) {
      return { kind: "tcp", ...localAddress(socket) };
    }
    return "it is neither a Unix nor a TCP socket";
  } finally {
    socket.release();
  }
}

/** Leaves an inherited socket to the program that this process becomes. */
export function keepOnExec(number: number): void {
  check("fcntl", libc.fcntl(number, F_SETFD, 0));
}

/** `unix:PATH` or `tcp:HOST:PORT`. */
export function inheritedText(address: InheritedAddress): string {
  return address.kind === "unix" ? `unix:${address.path}` : `tcp:${hostPortText(address)}`;
}
