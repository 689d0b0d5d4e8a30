/**
 * The header of the PROXY protocol, version 2: pure.
 *
 * Source: "The PROXY protocol, versions 1 & 2", sections 2.2 and 2.2.7 (haproxy.org). HAProxy and
 * nginx read custom values only behind TCP addresses, so the source of a Unix client is 127.0.0.1,
 * port 0.
 *
 * @module
 */

/** `\r\n\r\n\0\r\nQUIT\n` */
const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a] as const;
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const PERCENT = 0x25;

/**
 * The types of ipcauth's values, in the range for applications (0xE0 to 0xEF). All values are
 * printable ASCII: decimal digits, hexadecimal digits for the key id, and for the user name its
 * UTF-8 with `%` and every byte that is not printable ASCII percent-encoded (RFC 3986, section
 * 2.1).
 */
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

/** The identity of a client. An unknown value is null, and its TLV is left out. */
export interface ProxyIdentity {
  readonly user: string;
  readonly uid: number;
  readonly gid: number | null;
  readonly pid: number | null;
  readonly keyId: string | null;
}

/** Source and destination of a client on a Unix socket. */
export const LOCAL: ProxyAddress = { bytes: Uint8Array.of(127, 0, 0, 1), port: 0 };

/**
 * Builds the header, which is sent before the client's bytes.
 *
 * @param source The client's address.
 * @param destination The listener's address, of the same family.
 * @throws {RangeError} When the families differ, or a value is longer than 65,535 bytes.
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
    ...tlv(IdentityType.user, percentEncoded(identity.user)),
    ...tlv(IdentityType.uid, identity.uid),
    ...tlv(IdentityType.gid, identity.gid),
    ...tlv(IdentityType.pid, identity.pid),
    ...tlv(IdentityType.keyId, identity.keyId),
  ];
  const family = size === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  return Uint8Array.from([...SIGNATURE, VERSION_2_PROXY, family, ...u16(body.length), ...body]);
}

/** `ÅSA%` → `%C3%85SA%25`; a name of printable ASCII without `%` stays as it is. */
function percentEncoded(name: string): string {
  let text = "";
  for (const byte of new TextEncoder().encode(name)) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== PERCENT;
    text += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** A TLV: type, length, value; nothing for an unknown value. */
function tlv(type: number, value: string | number | null): number[] {
  if (value === null) return [];
  const bytes = new TextEncoder().encode(String(value));
  return [type, ...u16(bytes.length), ...bytes];
}

function u16(number: number): [number, number] {
  if (number < 0 || number > 0xffff) throw new RangeError(`${number} does not fit into 16 bits`);
  return [number >> 8, number & 0xff];
}
