/**
 * Sockets: addresses, options, and the kernel's word on who is at the other end.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;
const MSG_PEEK = 0x2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const SHUT_RD = 0;
const SHUT_RDWR = 2;

/** `sizeof(sun_path)`: a pathname and its NUL must fit (`unix(7)`). */
export const UNIX_PATH_MAX = 108;

/** Thrown for a pathname that no Unix socket can have. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/**
 * A `struct sockaddr_un` for a pathname.
 *
 * @throws {AddressError} When the path is empty, holds a NUL, is abstract (`@…` or a leading NUL) or does not fit.
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

/** A new Unix stream socket, close-on-exec and non-blocking. */
export function unixSocket(): Descriptor {
  return new Descriptor(
    check("socket", libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
  );
}

/** Two connected Unix stream sockets, close-on-exec and non-blocking. */
export function unixSocketPair(): [Descriptor, Descriptor] {
  const pair = new Int32Array(2);
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  check("socketpair", libc.socketpair(AF_UNIX, type, 0, new Uint8Array(pair.buffer)));
  return [new Descriptor(pair[0]!), new Descriptor(pair[1]!)];
}

/** Binds a socket to an address made by {@linkcode unixAddress}. */
export function bind(socket: Descriptor, address: Uint8Array<ArrayBuffer>): void {
  check("bind", libc.bind(socket.number, address, address.length));
}

/** Starts listening. A backlog above `net.core.somaxconn` is cut by the kernel without a word. */
export function listen(socket: Descriptor, backlog: number): void {
  check("listen", libc.listen(socket.number, backlog));
}

/** Connects; answers 0 or the error number, because several of them are ordinary outcomes. */
export function connect(socket: Descriptor, address: Uint8Array<ArrayBuffer>): number {
  return libc.connect(socket.number, address, address.length) === 0 ? 0 : errno();
}

/** What {@linkcode accept} answers when nobody is waiting. */
export const NOBODY = null;

/**
 * Takes the next waiting connection, close-on-exec and non-blocking.
 *
 * @returns The connection, or null when nobody is waiting.
 * @throws {SystemError} `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` when the machine has no room for it.
 */
export function accept(listener: Descriptor): Descriptor | null {
  for (;;) {
    const number = libc.accept4(listener.number, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (number >= 0) return new Descriptor(number);
    const error = errno();
    if (error === Errno.EAGAIN) return NOBODY;
    // A connection that died in the queue, or a signal: the next one is waiting (accept(2)).
    if (error === Errno.ECONNABORTED || error === Errno.EINTR) continue;
    throw new SystemError("accept4", error);
  }
}

const credentials = new Uint32Array(3);
const credentialsBytes = new Uint8Array(credentials.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/** What {@linkcode ucred} holds where the kernel gave no answer: nobody's id (`(uid_t) -1`). */
const NO_PEER = 0xffff_ffff;

/** A `struct ucred`, reused: copy what has to outlive the next call of {@linkcode peerCredentials}. */
export const ucred = {
  get pid(): number {
    return credentials[0]!;
  },
  get uid(): number {
    return credentials[1]!;
  },
  get gid(): number {
    return credentials[2]!;
  },
};

/**
 * Asks the kernel who connected (`SO_PEERCRED`, `unix(7)`): pid, effective uid and gid as they were at
 * `connect()` (or, on the client's side, at `listen()`).
 *
 * @returns Whether {@linkcode ucred} now holds an answer of the right length.
 */
export function peerCredentials(socket: Descriptor): boolean {
  length[0] = credentialsBytes.length;
  const result = libc.getsockopt(
    socket.number,
    SOL_SOCKET,
    SO_PEERCRED,
    credentialsBytes,
    lengthBytes,
  );
  if (result === 0 && length[0] === credentialsBytes.length) return true;
  // What the last peer left must not be taken for this one's.
  credentials.fill(NO_PEER);
  return false;
}

const number = new Int32Array(1);
const numberBytes = new Uint8Array(number.buffer);

let groups = new Uint32Array(64);

/**
 * The supplementary groups of the peer at `connect()` (`SO_PEERGROUPS`, Linux 4.13).
 *
 * @returns The gids, or null when they could not be read.
 */
export function peerGroups(socket: Descriptor): number[] | null {
  // The kernel allows 65536 groups (NGROUPS_MAX); a second try always has the size it asked for.
  for (let attempt = 0; attempt < 2; attempt++) {
    length[0] = groups.byteLength;
    const bytes = new Uint8Array(groups.buffer);
    if (libc.getsockopt(socket.number, SOL_SOCKET, SO_PEERGROUPS, bytes, lengthBytes) === 0) {
      return Array.from(groups.subarray(0, length[0]! / 4));
    }
    if (errno() !== Errno.ERANGE) return null;
    groups = new Uint32Array(Math.ceil(length[0]! / 4));
  }
  return null;
}

/**
 * A handle on the peer's process that its pid cannot outlive (`SO_PEERPIDFD`, Linux 6.5).
 *
 * @returns The pidfd, or null where the kernel has none to give.
 */
export function peerProcess(socket: Descriptor): Descriptor | null {
  length[0] = number.byteLength;
  const result = libc.getsockopt(
    socket.number,
    SOL_SOCKET,
    SO_PEERPIDFD,
    numberBytes,
    lengthBytes,
  );
  return result === 0 ? new Descriptor(number[0]!) : null;
}

const nameBytes = new Uint8Array(2 + UNIX_PATH_MAX);

/**
 * The path that the peer of a Unix connection has bound its own socket to (`getpeername(2)`).
 *
 * @returns An empty text where there is none, as with nearly every client, or none that can be printed.
 */
export function boundPath(socket: Descriptor): string {
  length[0] = nameBytes.length;
  return libc.getpeername(socket.number, nameBytes, lengthBytes) === 0 ? printableName() : "";
}

/** The path that a Unix socket is bound to (`getsockname(2)`); an abstract name begins with `@`. */
export function boundName(socket: Descriptor): string {
  length[0] = nameBytes.length;
  return libc.getsockname(socket.number, nameBytes, lengthBytes) === 0 ? printableName() : "";
}

function printableName(): string {
  const path = nameBytes.subarray(2, Math.max(2, Math.min(length[0]!, nameBytes.length)));
  const text = new TextDecoder().decode(path).replace(/\0+$/, "").replace(/^\0/, "@");
  return /[\p{C}\ufffd]/u.test(text) ? "" : text;
}

/** What {@linkcode receive} and {@linkcode send} answer where the call would have to wait. */
export const WOULD_BLOCK = -1;
/** What {@linkcode receive} and {@linkcode send} answer where the connection is broken. */
export const BROKEN = -2;

/**
 * Reads what is there.
 *
 * @returns The number of bytes, 0 at end-of-file, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 */
export function receive(socket: Descriptor, into: Uint8Array<ArrayBuffer>): number {
  const count = libc.recv(socket.number, into, BigInt(into.length), MSG_DONTWAIT);
  return count >= 0 ? count : outcome();
}

const oneByte = new Uint8Array(1);

/**
 * Looks whether a byte is there without taking it.
 *
 * @returns 1, 0 at end-of-file, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 */
export function peek(socket: Descriptor): number {
  const count = libc.recv(socket.number, oneByte, 1n, MSG_PEEK | MSG_DONTWAIT);
  return count >= 0 ? count : outcome();
}

/**
 * Writes what fits.
 *
 * @param endFollows Whether the next call ends our direction: on TCP both leave in one segment (`MSG_MORE`).
 * @returns The number of bytes taken, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 * @throws {RangeError} When there are not so many bytes.
 */
export function send(
  socket: Descriptor,
  bytes: Uint8Array<ArrayBuffer>,
  count: number = bytes.length,
  endFollows = false,
): number {
  // The kernel would go on reading behind the buffer, and send what lies there.
  if (count > bytes.length) throw new RangeError(`${count} bytes of a buffer of ${bytes.length}`);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL | (endFollows ? MSG_MORE : 0);
  const taken = libc.send(socket.number, bytes, BigInt(count), flags);
  return taken >= 0 ? taken : outcome();
}

function outcome(): number {
  const error = errno();
  return error === Errno.EAGAIN || error === Errno.EINTR ? WOULD_BLOCK : BROKEN;
}

/** Ends both directions, whoever else may hold the connection. A dead connection is no error. */
export function shutdown(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_RDWR);
}

/** Takes nothing more: on a Unix socket whoever goes on sending gets `EPIPE` (`unix(7)`). */
export function refuseInput(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_RD);
}
