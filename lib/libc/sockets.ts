/**
 * Stream sockets: making, connecting and accepting them, and the bytes that pass.
 *
 * All of them are non-blocking and close-on-exec.
 *
 * @module
 */
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/socket.h
const MSG_PEEK = 0x2;
const MSG_MORE = 0x8000;

/**
 * Makes a Unix stream socket (`unix(7)`).
 *
 * @throws {SystemError} `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`.
 */
export function unixSocket(): Descriptor {
  return new Descriptor(
    check("socket", libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
  );
}

/**
 * Makes two connected Unix stream sockets (`socketpair(2)`).
 *
 * @throws {SystemError} `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`.
 */
export function unixSocketPair(): [Descriptor, Descriptor] {
  const pair = new Int32Array(2);
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  check("socketpair", libc.socketpair(AF_UNIX, type, 0, new Uint8Array(pair.buffer)));
  return [new Descriptor(pair[0]!), new Descriptor(pair[1]!)];
}

/**
 * Binds a socket to an address (`bind(2)`).
 *
 * @param address A `struct sockaddr` of the socket's family.
 * @throws {SystemError} `EADDRINUSE` when the address, or a file of this path, exists.
 */
export function bind(socket: Descriptor, address: Uint8Array<ArrayBuffer>): void {
  check("bind", libc.bind(socket.number, address, address.length));
}

/**
 * Starts listening (`listen(2)`).
 *
 * @param backlog How many connections may wait to be accepted. The kernel silently takes at most
 * `net.core.somaxconn`.
 * @throws {SystemError} `EINVAL` when the socket is connected.
 */
export function listen(socket: Descriptor, backlog: number): void {
  check("listen", libc.listen(socket.number, backlog));
}

/**
 * Starts connecting (`connect(2)`).
 *
 * @param address A `struct sockaddr` of the socket's family.
 * @returns 0 when it is connected; otherwise the error number. TCP answers `EINPROGRESS`, a Unix
 * listener with a full backlog `EAGAIN`.
 */
export function connect(socket: Descriptor, address: Uint8Array<ArrayBuffer>): number {
  return libc.connect(socket.number, address, address.length) === 0 ? 0 : errno();
}

/**
 * Accepts a connection (`accept4(2)`).
 *
 * @returns The connection, or null when none is waiting.
 * @throws {SystemError} `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM` when the process or the machine
 * has reached a limit; the connection waits on.
 */
export function accept(listener: Descriptor): Descriptor | null {
  for (;;) {
    const number = libc.accept4(listener.number, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (number >= 0) return new Descriptor(number);
    const error = errno();
    if (error === Errno.EAGAIN) return null;
    // The connection ended while it waited, or a signal came: another one may be waiting.
    if (error === Errno.ECONNABORTED || error === Errno.EINTR) continue;
    throw new SystemError("accept4", error);
  }
}

/** The answer of {@linkcode receive} and {@linkcode send} when the call would have to wait. */
export const WOULD_BLOCK = -1;
/** The answer of {@linkcode receive} and {@linkcode send} when the connection is broken. */
export const BROKEN = -2;
/**
 * The answer of {@linkcode send} when the kernel had no memory for the bytes (`ENOBUFS`, `ENOMEM`).
 * The connection is whole, and no event says when the call would succeed.
 */
export const NO_MEMORY = -3;

/**
 * Reads the bytes that have arrived (`recv(2)`).
 *
 * @param into Receives them.
 * @returns The number of bytes, 0 at end-of-file, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 */
export function receive(socket: Descriptor, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const count = libc.recv(socket.number, into, BigInt(into.length), MSG_DONTWAIT);
    if (count >= 0) return count;
    const failure = outcome();
    if (failure !== null) return failure === NO_MEMORY ? BROKEN : failure;
  }
}

const oneByte = new Uint8Array(1);

/**
 * Checks whether a byte has arrived, and leaves it to be received (`MSG_PEEK`).
 *
 * @returns 1, 0 at end-of-file, {@linkcode WOULD_BLOCK} or {@linkcode BROKEN}.
 */
export function peek(socket: Descriptor): number {
  for (;;) {
    const count = libc.recv(socket.number, oneByte, 1n, MSG_PEEK | MSG_DONTWAIT);
    if (count >= 0) return count;
    const failure = outcome();
    if (failure !== null) return failure === NO_MEMORY ? BROKEN : failure;
  }
}

/**
 * Writes as many bytes as the socket's buffer takes (`send(2)`).
 *
 * @param bytes The bytes.
 * @param count How many of them, from the first.
 * @param endFollows Whether the next call is {@linkcode shutdownWrite}: with `MSG_MORE`, TCP sends
 * both in one segment.
 * @returns The number of bytes taken, {@linkcode WOULD_BLOCK}, {@linkcode BROKEN} or
 * {@linkcode NO_MEMORY}.
 * @throws {RangeError} When `count` exceeds the buffer: the kernel would send the memory behind it.
 */
export function send(
  socket: Descriptor,
  bytes: Uint8Array<ArrayBuffer>,
  count: number = bytes.length,
  endFollows = false,
): number {
  if (count > bytes.length) throw new RangeError(`${count} bytes of a buffer of ${bytes.length}`);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL | (endFollows ? MSG_MORE : 0);
  for (;;) {
    const taken = libc.send(socket.number, bytes, BigInt(count), flags);
    if (taken >= 0) return taken;
    const failure = outcome();
    if (failure !== null) return failure;
  }
}

/**
 * What the error of a call means; null for `EINTR`, after which it is called again: an
 * edge-triggered watch reports no second time what is there already (epoll(7)).
 */
function outcome(): typeof WOULD_BLOCK | typeof BROKEN | typeof NO_MEMORY | null {
  switch (errno()) {
    case Errno.EINTR:
      return null;
    case Errno.EAGAIN:
      return WOULD_BLOCK;
    case Errno.ENOBUFS:
    case Errno.ENOMEM:
      return NO_MEMORY;
    default:
      return BROKEN;
  }
}

/**
 * Ends both directions of a connection (`shutdown(2)`), for every process that holds a descriptor
 * of it. A connection that is dead already is no error.
 */
export function shutdown(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_RDWR);
}

/**
 * Ends the direction from the peer. On a Unix socket a peer that goes on sending gets `EPIPE`
 * (`unix(7)`).
 */
export function shutdownRead(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_RD);
}

/**
 * Ends the direction to the peer, which reads end-of-file after the bytes sent before. Bytes of the
 * peer still arrive. A connection that is dead already is no error.
 */
export function shutdownWrite(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_WR);
}
