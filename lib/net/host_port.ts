/**
 * `HOST:PORT` as text. Apart from `address.ts`, because clients that are no part of the program
 * load it without the program's import map.
 *
 * @module
 */
import type { HostPort } from "../libc/inet_address.ts";

/**
 * Parses `HOST:PORT` or `[IPV6]:PORT`, the IPv6 address with or without a zone (`%eth0`, RFC 4007).
 *
 * @param anyPort Whether the port may be 0.
 * @returns Null when the text is neither.
 */
export function parseHostPort(text: string, anyPort = false): HostPort | null {
  const match =
    /^(?:\[([0-9A-Fa-f:.]+)(%[A-Za-z0-9_.@-]{1,15})?\]|([A-Za-z0-9_.-]+)):(0|[1-9][0-9]{0,4})$/
      .exec(text);
  if (match === null) return null;
  const [, address, zone = "", name] = match;
  const port = Number(match[4]);
  const valid = address === undefined ? isHost(name!) : URL.canParse(`http://[${address}]/`);
  return valid && port <= 65535 && (port > 0 || anyPort)
    ? { host: address === undefined ? name! : address + zone, port }
    : null;
}

/**
 * Whether a text is a host name (RFC 1123), or an IPv4 address with all its four numbers. A name
 * may end in a dot, which keeps resolvers from adding a domain (RFC 1034, section 3.1).
 */
function isHost(text: string): boolean {
  const isAbsolute = text.endsWith(".");
  const labels = (isAbsolute ? text.slice(0, -1) : text).split(".");
  // A last label of digits alone makes it an address. Resolvers disagree about 127.1 and 010.0.0.1.
  if (!/^[0-9]+$/.test(labels.at(-1)!)) {
    return labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  }
  return !isAbsolute && labels.length === 4 &&
    labels.every((label) => /^(0|[1-9][0-9]{0,2})$/.test(label) && Number(label) <= 255);
}
