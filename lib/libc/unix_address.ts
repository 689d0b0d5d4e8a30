/**
 * Addresses of Unix sockets: `unix(7)`.
 *
 * @module
 */
import { AF_UNIX, UNIX_PATH_MAX } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { libc } from "./symbols.ts";

/** A pathname that no Unix socket can have. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/**
 * Encodes a pathname as a `struct sockaddr_un` (linux/un.h).
 *
 * @param path 1 to 107 bytes of UTF-8.
 * @returns 110 bytes: the family, the path, and zeros to the end.
 * @throws {AddressError} When the path is empty, holds a NUL, is an abstract name (`@…`), or is
 * longer.
 */
export function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length === 0) throw new AddressError("a socket path cannot be empty");
  if (bytes.includes(0)) throw new AddressError("a socket path cannot hold a NUL");
  if (path.startsWith("@")) {
    throw new AddressError(`"${path}" is an abstract name, which has no file permissions`);
  }
  if (bytes.length >= UNIX_PATH_MAX) {
    throw new AddressError(
      `"${path}" has ${bytes.length} bytes; a socket path has at most ${UNIX_PATH_MAX - 1}`,
    );
  }
  const address = new Uint8Array(2 + UNIX_PATH_MAX);
  address[0] = AF_UNIX;
  address.set(bytes, 2);
  return address;
}

// Reused by each call: a server asks for a name once a connection.
const address = new Uint8Array(2 + UNIX_PATH_MAX);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/**
 * Reads the path that the peer of a Unix connection has bound its own socket to (`getpeername(2)`).
 *
 * @returns The path; an abstract name begins with `@`. Empty when the peer has bound none, as
 * nearly all clients, or when the name holds bytes that cannot be printed.
 */
export function peerPath(socket: Descriptor): string {
  length[0] = address.length;
  return libc.getpeername(socket.number, address, lengthBytes) === 0 ? printablePath() : "";
}

/**
 * Reads the path that a Unix socket is bound to (`getsockname(2)`).
 *
 * @returns The path; an abstract name begins with `@`. Empty when it is bound to none, or when the
 * name holds bytes that cannot be printed.
 */
export function localPath(socket: Descriptor): string {
  length[0] = address.length;
  return libc.getsockname(socket.number, address, lengthBytes) === 0 ? printablePath() : "";
}

function printablePath(): string {
  const path = address.subarray(2, Math.max(2, Math.min(length[0]!, address.length)));
  const text = new TextDecoder().decode(path).replace(/\0+$/, "").replace(/^\0/, "@");
  return /[\p{C}\ufffd]/u.test(text) ? "" : text;
}
