/**
 * TCP sockets: `tcp(7)`.
 *
 * @module
 */
import { AF_INET6, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { familyOf, type SocketAddress } from "./inet_address.ts";
import { readOption, setOption } from "./socket_options.ts";
import { bind, listen } from "./sockets.ts";
import { libc } from "./symbols.ts";

// asm-generic/socket.h
export const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
// linux/in.h, linux/in6.h
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
// linux/tcp.h
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_INFO = 11;
const TCP_USER_TIMEOUT = 18;
// linux/sockios.h: SIOCOUTQ is TIOCOUTQ of asm-generic/ioctls.h.
const SIOCOUTQ = 0x5411n;

/** How long a connection is without a segment before the first keepalive probe. */
const KEEPALIVE_IDLE_SECONDS = 60;
const KEEPALIVE_INTERVAL_SECONDS = 15;
/** After so many probes without an answer the connection is dead. */
const KEEPALIVE_PROBES = 4;
/**
 * How long sent bytes may be without an acknowledgement, in milliseconds: as long as a connection
 * that carries none may be without an answer.
 */
export const USER_TIMEOUT_MS =
  (KEEPALIVE_IDLE_SECONDS + KEEPALIVE_INTERVAL_SECONDS * KEEPALIVE_PROBES) * 1_000;

/**
 * Makes a TCP socket, close-on-exec and non-blocking.
 *
 * @param address Says the family.
 * @throws {SystemError} `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`, or `EAFNOSUPPORT` without IPv6.
 */
export function tcpSocket(address: SocketAddress): Descriptor {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return new Descriptor(check("socket", libc.socket(familyOf(address), type, 0)));
}

/**
 * Makes a listening TCP socket. Its options are those of {@linkcode setTcpOptions}, which accepted
 * connections inherit. `SO_REUSEADDR` lets a restarted server bind while connections of the last
 * one are in `TIME_WAIT`.
 *
 * @param backlog How many connections may wait to be accepted.
 * @param v6Only Whether a socket for every IPv6 address leaves IPv4 to another one (`ipv6(7)`).
 * @throws {SystemError} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL` and others.
 */
export function listenTcp(address: SocketAddress, backlog: number, v6Only = false): Descriptor {
  const socket = tcpSocket(address);
  try {
    if (v6Only && familyOf(address) === AF_INET6) setOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    setOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    setTcpOptions(socket);
    bind(socket, address);
    listen(socket, backlog);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Reads how a connection that was started has come out (`SO_ERROR`), once its socket is writable.
 *
 * @returns 0 when it is connected; otherwise the error number.
 * @throws {SystemError} When it is no socket.
 */
export function connectOutcome(socket: Descriptor): number {
  return readOption(socket.number, SOL_SOCKET, SO_ERROR);
}

/**
 * Sets the options of a connection, or of the listener it is inherited from: small messages leave
 * at once (`TCP_NODELAY`), and a peer that has gone is noticed after 120 seconds, whether bytes are
 * on their way to it (`TCP_USER_TIMEOUT`) or not (`SO_KEEPALIVE`).
 *
 * @throws {SystemError} When it is no TCP socket.
 */
export function setTcpOptions(socket: Descriptor): void {
  setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
  setOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
  setOption(socket, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
  setUserTimeout(socket, USER_TIMEOUT_MS);
}

/**
 * Sets how long sent bytes may be without an acknowledgement before the kernel ends the connection
 * with `ETIMEDOUT`. A window that the peer keeps closed counts as well.
 *
 * @param milliseconds 0 for the kernel's own time, about 15 minutes without any answer.
 * @throws {SystemError} When it is no TCP socket.
 */
export function setUserTimeout(socket: Descriptor, milliseconds: number): void {
  setOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
}

/** When a peer has acknowledged bytes last, and what is on its way to it. */
export interface AcknowledgementStatus {
  /** Segments that were sent and are not acknowledged. */
  readonly inFlight: number;
  /** Probes of a closed window, or of an idle connection, without an answer. */
  readonly probes: number;
  /** How long ago the last acknowledgement came, in milliseconds. */
  readonly ageMs: number;
}

/** The beginning of a `struct tcp_info` (linux/tcp.h), in bytes, and offsets in it. */
const SIZEOF_INFO = 104;
const TCPI_PROBES = 3;
const TCPI_UNACKED = 24;
const TCPI_LAST_ACK_RECV = 56;

const info = new Uint8Array(SIZEOF_INFO);
const infoView = new DataView(info.buffer);
const infoLength = new Uint32Array(1);

/**
 * Reads when a peer has acknowledged bytes last (`TCP_INFO` of `tcp(7)`).
 *
 * @throws {SystemError} When it is no TCP socket.
 */
export function acknowledgementStatus(socket: Descriptor): AcknowledgementStatus {
  infoLength[0] = SIZEOF_INFO;
  const length = new Uint8Array(infoLength.buffer);
  check("getsockopt", libc.getsockopt(socket.number, IPPROTO_TCP, TCP_INFO, info, length));
  return {
    inFlight: infoView.getUint32(TCPI_UNACKED, true),
    probes: infoView.getUint8(TCPI_PROBES),
    ageMs: infoView.getUint32(TCPI_LAST_ACK_RECV, true),
  };
}

/** A `struct linger` (linux/socket.h): on, for 0 seconds. */
const NO_LINGER = new Uint8Array(new Int32Array([1, 0]).buffer);

/**
 * Makes the next close of a connection send a reset (`SO_LINGER` of `socket(7)`), which the peer
 * cannot take for the end of the stream.
 */
export function resetOnClose(socket: Descriptor): void {
  libc.setsockopt(socket.number, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
}

const count = new Int32Array(1);
const countBytes = new Uint8Array(count.buffer);

/**
 * Reads how many bytes the other machine has not acknowledged yet (`SIOCOUTQ` of `tcp(7)`). The end
 * of the stream counts as one.
 *
 * @returns The number of bytes; 0 when the connection is dead.
 */
export function unacknowledgedBytes(socket: Descriptor): number {
  return libc.ioctl(socket.number, SIOCOUTQ, countBytes) === 0 ? count[0]! : 0;
}
