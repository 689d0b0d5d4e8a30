/**
 * Addresses of IPv4 and IPv6 sockets: `ip(7)`, `ipv6(7)`, `getaddrinfo(3)`.
 *
 * @module
 */
import { AF_INET, AF_INET6, SOCK_STREAM } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// netdb.h of glibc
const AI_PASSIVE = 0x1;
const AI_NUMERICHOST = 0x4;
const AI_NUMERICSERV = 0x400;
const EAI_AGAIN = -3;
const EAI_FAIL = -4;
const EAI_SYSTEM = -11;
/** `sizeof(struct addrinfo)` in bytes, with 64-bit pointers. */
const SIZEOF_ADDRINFO = 48;
/** `sizeof(struct sockaddr_in6)` in bytes, the larger of the two (linux/in6.h). */
const SIZEOF_SOCKADDR = 28;
/** The longest text of an IPv6 address, its NUL included (netinet/in.h). */
const INET6_ADDRSTRLEN = 46;
/** The longest name of a network interface, its NUL included (linux/if.h). */
const IF_NAMESIZE = 16;

type Bytes = Uint8Array<ArrayBuffer>;

/** A `struct sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes). */
export type SocketAddress = Uint8Array<ArrayBuffer>;

/** A host name, or an IPv4 or IPv6 address without brackets, with its zone; and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A host without an address. */
export class NameError extends Error {
  override readonly name = "NameError";
  /** Whether the name service has failed, and may know the host later. */
  readonly isTemporary: boolean;

  constructor(message: string, isTemporary = false) {
    super(message);
    this.isTemporary = isTemporary;
  }
}

/**
 * Resolves a host (`getaddrinfo(3)`). Blocks the thread until the name service has answered, for
 * half a minute where a server of it is unreachable.
 *
 * @param host A name, or an IPv4 or IPv6 address without brackets.
 * @param port 0 to 65535.
 * @param passive Whether the addresses are for a listener.
 * @returns At least one address, each once, in the order to try them in (RFC 6724).
 * @throws {NameError} When the host has none.
 * @throws {SystemError} When the name service could not be asked.
 */
export function resolveHost(host: string, port: number, passive = false): SocketAddress[] {
  return found(host, ask(queriedName(host), port, passive ? AI_PASSIVE : 0));
}

/**
 * As {@linkcode resolveHost} for a client, in a thread of the runtime.
 *
 * @throws {NameError} When the host has no address, or the name service could not be asked.
 */
export async function resolveHostInBackground(
  host: string,
  port: number,
): Promise<SocketAddress[]> {
  const query = new AddressQuery(queriedName(host), port, 0);
  const code = await libc.getaddrinfo_in_background(...query.parameters);
  // Another thread's errno cannot be read.
  return found(host, code === EAI_SYSTEM ? EAI_FAIL : query.answer(code));
}

/** RFC 6761, section 6.3: the name is the same with its dot, which a hosts file does not list. */
function queriedName(host: string): string {
  return host.toLowerCase() === "localhost." ? "localhost" : host;
}

/** @param addresses The addresses, or the error number of `getaddrinfo(3)`. */
function found(host: string, addresses: SocketAddress[] | number): SocketAddress[] {
  if (addresses === EAI_AGAIN || addresses === EAI_FAIL) {
    throw new NameError(`the name service does not answer for the host "${host}"`, true);
  }
  if (typeof addresses === "number") throw new NameError(unknownHost(host));
  if (addresses.length === 0) throw new NameError(`the host "${host}" has no address`);
  return addresses;
}

/**
 * The address that a text says in digits. Asks no name service.
 *
 * @param host An IPv4 address, or an IPv6 address with or without a zone.
 * @returns Null for a name.
 */
export function numericAddress(host: string, port: number): SocketAddress | null {
  const addresses = ask(host, port, AI_NUMERICHOST);
  return typeof addresses === "number" ? null : addresses[0] ?? null;
}

/** Why a host has no address, in words. */
export function unknownHost(host: string): string {
  const [address, zone] = host.split("%");
  return zone === undefined
    ? `the name service knows no host "${host}"`
    : `this machine has no network interface "${zone}", or ${address} is no link-local address`;
}

/** @returns The addresses, or the error number of `getaddrinfo(3)`. */
function ask(host: string, port: number, flags: number): SocketAddress[] | number {
  const query = new AddressQuery(host, port, flags);
  const code = libc.getaddrinfo(...query.parameters);
  if (code === EAI_SYSTEM) throw new SystemError("getaddrinfo");
  return query.answer(code);
}

/** The memory of one call of `getaddrinfo(3)`, which must live as long as the call. */
class AddressQuery {
  readonly parameters: readonly [Bytes, Bytes, Bytes, Bytes];
  readonly #result = new BigUint64Array(1);

  constructor(host: string, port: number, flags: number) {
    const hints = new Uint8Array(SIZEOF_ADDRINFO);
    const words = new Int32Array(hints.buffer);
    words[0] = AI_NUMERICSERV | flags;
    words[2] = SOCK_STREAM;
    const result = new Uint8Array(this.#result.buffer);
    this.parameters = [cString(host), cString(String(port)), hints, result];
  }

  /** @returns The addresses, which are freed in the C library; or the code, unless it is 0. */
  answer(code: number): SocketAddress[] | number {
    if (code !== 0) return code;
    const addresses: SocketAddress[] = [];
    const entry = new Uint8Array(SIZEOF_ADDRINFO);
    const view = new DataView(entry.buffer);
    const first = this.#result[0]!;
    // struct addrinfo (netdb.h, LP64): family 4, address length 16, address 24, next entry 40
    for (let at = first; at !== 0n; at = view.getBigUint64(40, true)) {
      libc.memory_copy(entry, at, BigInt(SIZEOF_ADDRINFO));
      const family = view.getInt32(4, true);
      const length = view.getUint32(16, true);
      if ((family !== AF_INET && family !== AF_INET6) || length > SIZEOF_SOCKADDR) continue;
      const address = new Uint8Array(length);
      libc.memory_copy(address, view.getBigUint64(24, true), BigInt(length));
      // A hosts file may list an address twice.
      if (!addresses.some((one) => String(one) === String(address))) addresses.push(address);
    }
    libc.freeaddrinfo(first);
    return addresses;
  }
}

/** The address family of a `struct sockaddr`: `AF_INET` or `AF_INET6`. */
export function familyOf(address: SocketAddress): number {
  return new DataView(address.buffer, address.byteOffset).getUint16(0, true);
}

/** The same address with another port. */
export function withPort(address: SocketAddress, port: number): SocketAddress {
  const copy = address.slice();
  new DataView(copy.buffer).setUint16(2, port);
  return copy;
}

// Reused by each call: a server asks for both ends of every connection.
const address = new Uint8Array(SIZEOF_SOCKADDR);
const addressView = new DataView(address.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);
const text = new Uint8Array(INET6_ADDRSTRLEN);
const interfaceName = new Uint8Array(IF_NAMESIZE);
const decoder = new TextDecoder();

/**
 * Reads the address of the other end of a TCP connection (`getpeername(2)`).
 *
 * @returns The address, or null when the connection has ended already.
 */
export function remoteAddress(socket: Descriptor): HostPort | null {
  length[0] = address.length;
  if (libc.getpeername(socket.number, address, lengthBytes) !== 0) return null;
  return decodeAddress();
}

/**
 * Reads the address that a TCP socket is bound to (`getsockname(2)`).
 *
 * @throws {SystemError} When it is no TCP socket.
 */
export function localAddress(socket: Descriptor): HostPort {
  length[0] = address.length;
  check("getsockname", libc.getsockname(socket.number, address, lengthBytes));
  return decodeAddress();
}

function decodeAddress(): HostPort {
  const family = familyOf(address);
  if (family !== AF_INET && family !== AF_INET6) throw new SystemError("getsockname", Errno.EINVAL);
  const host = address.subarray(family === AF_INET ? 4 : 8);
  if (libc.inet_ntop(family, host, text, text.length) === 0n) throw new SystemError("inet_ntop");
  const digits = decoder.decode(text.subarray(0, text.indexOf(0)));
  // sin6_scope_id of struct sockaddr_in6
  const zone = family === AF_INET ? 0 : addressView.getUint32(24, true);
  const port = addressView.getUint16(2);
  if (zone !== 0) return { host: `${digits}%${zoneText(zone)}`, port };
  // A listener for both families sees an IPv4 client as an IPv4-mapped IPv6 address (ipv6(7)).
  const isMapped = digits.startsWith("::ffff:") && digits.includes(".");
  return { host: isMapped ? digits.slice(7) : digits, port };
}

/** The name of a network interface; its number where it has gone. */
function zoneText(index: number): string {
  if (libc.if_indextoname(index, interfaceName) === 0n) return String(index);
  return decoder.decode(interfaceName.subarray(0, interfaceName.indexOf(0)));
}

/** `HOST:PORT`; an IPv6 address stands in brackets. */
export function hostPortText({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
