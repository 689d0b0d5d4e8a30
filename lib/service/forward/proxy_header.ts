/**
 * The PROXY protocol, version 2, as a backend reads it: pure.
 *
 * Source: "The PROXY protocol, versions 1 & 2", sections 2.2 and 2.2.7 (haproxy.org). HAProxy and nginx read the
 * custom values only behind the addresses of TCP, so a peer on a Unix socket comes from 127.0.0.1, port 0.
 *
 * @module
 */

/** `\r\n\r\n\0\r\nQUIT\n` */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a] as const;
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** Our values, in the range that the protocol leaves to applications (0xE0 to 0xEF): digits, and a name as the configuration has it. */
export const IdentityType = {
  user: 0xe0,
  uid: 0xe1,
  gid: 0xe2,
  pid: 0xe3,
  keyId: 0xe4,
} as const;

/** One end of the connection: 4 or 16 bytes of address. */
export interface ProxyAddress {
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** Who is at the other end. What is not known is null, and left out. */
export interface ProxyIdentity {
  readonly user: string;
  readonly uid: number;
  readonly gid: number | null;
  readonly pid: number | null;
  readonly keyId: string | null;
}

/** Where a peer on a Unix socket comes from, and goes to. */
export const LOCAL: ProxyAddress = { bytes: Uint8Array.of(127, 0, 0, 1), port: 0 };

/**
 * The header that goes before everything else.
 *
 * @param source The peer's address.
 * @param destination The address it came to, of the same family.
 * @throws {RangeError} When the two are of different families, or a value is too long for its length.
 */
export function proxyHeader(
  identity: ProxyIdentity,
  source: ProxyAddress = LOCAL,
  destination: ProxyAddress = LOCAL,
): Uint8Array<ArrayBuffer> {
  const size = source.bytes.length;
  if (size !== destination.bytes.length || (size !== 4 && size !== 16)) {
    throw new RangeError("the two ends have addresses of different families");
  }
  const body = [
    ...source.bytes,
    ...destination.bytes,
    ...u16(source.port),
    ...u16(destination.port),
    ...value(IdentityType.user, identity.user),
    ...value(IdentityType.uid, identity.uid),
    ...value(IdentityType.gid, identity.gid),
    ...value(IdentityType.pid, identity.pid),
    ...value(IdentityType.keyId, identity.keyId),
  ];
  const family = size === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  return Uint8Array.from([...SIGNATURE, VERSION_2_PROXY, family, ...u16(body.length), ...body]);
}

/** Type, length, text; nothing for what is not known. */
function value(type: number, what: string | number | null): number[] {
  if (what === null) return [];
  const bytes = new TextEncoder().encode(String(what));
  return [type, ...u16(bytes.length), ...bytes];
}

function u16(number: number): [number, number] {
  if (number < 0 || number > 0xffff) throw new RangeError(`${number} does not fit into 16 bits`);
  return [number >> 8, number & 0xff];
}
