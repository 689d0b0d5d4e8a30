/**
 * TCP: names, addresses and sockets of IPv4 and IPv6.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_TCP = 6;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const SHUT_WR = 1;

const AI_PASSIVE = 0x1;
const AI_NUMERICSERV = 0x400;
const EAI_SYSTEM = -11;
/** `sizeof(struct addrinfo)` with 64-bit pointers. */
const ADDRINFO = 48;
/** `sizeof(struct sockaddr_in6)`, the larger of the two. */
const SOCKADDR = 28;

/** How soon a dead peer is noticed: after so many seconds of silence, so many more a probe, so many probes. */
const KEEPALIVE = { idle: 60, interval: 15, probes: 4 } as const;

/** A `struct sockaddr_in` or `sockaddr_in6`. */
export type SocketAddress = Uint8Array<ArrayBuffer>;

/** Thrown for a host that has no address. */
export class NameError extends Error {
  override readonly name = "NameError";
}

/**
 * The addresses of a host and a port, in the order in which they are to be tried (`getaddrinfo(3)`). Waits
 * for the name service where the host is a name.
 *
 * @param host A name, or an IPv4 or IPv6 address without brackets.
 * @param port 0 to 65535.
 * @param passive Whether they are to be listened on.
 * @throws {NameError} When there is none.
 */
export function resolveHost(host: string, port: number, passive = false): SocketAddress[] {
  const hints = new Uint8Array(ADDRINFO);
  const words = new Int32Array(hints.buffer);
  words[0] = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  words[2] = SOCK_STREAM;
  const result = new BigUint64Array(1);
  const bytes = new Uint8Array(result.buffer);
  const code = libc.getaddrinfo(cString(host), cString(String(port)), hints, bytes);
  if (code === EAI_SYSTEM) throw new SystemError("getaddrinfo");
  if (code !== 0) throw new NameError(`the name service knows no host "${host}"`);
  const addresses: SocketAddress[] = [];
  const entry = new Uint8Array(ADDRINFO);
  const view = new DataView(entry.buffer);
  for (let at = result[0]!; at !== 0n; at = view.getBigUint64(40, true)) {
    libc.memory_copy(entry, at, BigInt(ADDRINFO));
    const family = view.getInt32(4, true);
    const length = view.getUint32(16, true);
    if ((family !== AF_INET && family !== AF_INET6) || length > SOCKADDR) continue;
    const address = new Uint8Array(length);
    libc.memory_copy(address, view.getBigUint64(24, true), BigInt(length));
    addresses.push(address);
  }
  libc.freeaddrinfo(result[0]!);
  if (addresses.length === 0) throw new NameError(`the host "${host}" has no address`);
  return addresses;
}

/** A new TCP socket for an address, close-on-exec and non-blocking. */
export function tcpSocket(address: SocketAddress): Descriptor {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return new Descriptor(check("socket", libc.socket(familyOf(address), type, 0)));
}

/**
 * A listening socket on an address. A restart need not wait for the last server's connections to be
 * forgotten (`SO_REUSEADDR`).
 *
 * @throws {SystemError} `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL` and others.
 */
export function listenTcp(address: SocketAddress, backlog: number): Descriptor {
  const socket = tcpSocket(address);
  try {
    setOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    // Whoever is accepted inherits it (tcp(7)).
    tuneTcp(socket);
    check("bind", libc.bind(socket.number, address, address.length));
    check("listen", libc.listen(socket.number, backlog));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Begins to connect; answers 0, `EINPROGRESS`, or the error number. */
export function connectTcp(socket: Descriptor, address: SocketAddress): number {
  return libc.connect(socket.number, address, address.length) === 0 ? 0 : errno();
}

const number = new Int32Array(1);
const numberBytes = new Uint8Array(number.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/** How a connection that was begun has come out: 0 or the error number (`SO_ERROR`). */
export function connectOutcome(socket: Descriptor): number {
  length[0] = 4;
  check(
    "getsockopt",
    libc.getsockopt(socket.number, SOL_SOCKET, SO_ERROR, numberBytes, lengthBytes),
  );
  return number[0]!;
}

/** What a connection wants, or the listener it comes from: small messages leave at once, and a peer that is gone is noticed. */
export function tuneTcp(socket: Descriptor): void {
  setOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE.idle);
  setOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE.interval);
  setOption(socket, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE.probes);
}

const lingerNot = new Uint8Array(new Int32Array([1, 0]).buffer);

/** Makes the next close a reset, so that the peer cannot take it for an end (`tcp(7)`, `SO_LINGER`). */
export function resetOnClose(socket: Descriptor): void {
  libc.setsockopt(socket.number, SOL_SOCKET, SO_LINGER, lingerNot, lingerNot.length);
}

// asm-generic/ioctls.h: TIOCOUTQ, which is SIOCOUTQ for a socket
const SIOCOUTQ = 0x5411n;

/** How many bytes the other machine has not confirmed yet (`tcp(7)`, `SIOCOUTQ`); 0 when the connection is dead. */
export function unconfirmed(socket: Descriptor): number {
  return libc.ioctl(socket.number, SIOCOUTQ, numberBytes) === 0 ? number[0]! : 0;
}

function setOption(socket: Descriptor, level: number, option: number, value: number): void {
  number[0] = value;
  check("setsockopt", libc.setsockopt(socket.number, level, option, numberBytes, 4));
}

/** Ends our direction; what the peer sends still arrives. A dead connection is no error. */
export function endSending(socket: Descriptor): void {
  libc.shutdown(socket.number, SHUT_WR);
}

/** A host's address in digits, and a port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const address = new Uint8Array(SOCKADDR);
const addressView = new DataView(address.buffer);
const text = new Uint8Array(46);
const decoder = new TextDecoder();

/** The other end of a connection; null when it is gone already. */
export function peerEndpoint(socket: Descriptor): Endpoint | null {
  length[0] = address.length;
  if (libc.getpeername(socket.number, address, lengthBytes) !== 0) return null;
  return endpoint();
}

/** Our end of a connection, or where we listen. */
export function ownEndpoint(socket: Descriptor): Endpoint {
  length[0] = address.length;
  check("getsockname", libc.getsockname(socket.number, address, lengthBytes));
  return endpoint();
}

function endpoint(): Endpoint {
  const family = familyOf(address);
  if (family !== AF_INET && family !== AF_INET6) throw new SystemError("getsockname", Errno.EINVAL);
  const host = address.subarray(family === AF_INET ? 4 : 8);
  if (libc.inet_ntop(family, host, text, text.length) === 0n) throw new SystemError("inet_ntop");
  const digits = decoder.decode(text.subarray(0, text.indexOf(0)));
  return {
    // An IPv4 client of a socket that listens on both is still an IPv4 client (ipv6(7)).
    host: digits.startsWith("::ffff:") && digits.includes(".") ? digits.slice(7) : digits,
    port: addressView.getUint16(2),
  };
}

/** `HOST:PORT`, with brackets round an IPv6 address. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function familyOf(address: SocketAddress): number {
  return new DataView(address.buffer, address.byteOffset).getUint16(0, true);
}
