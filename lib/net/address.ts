/**
 * Addresses as text and as values: `HOST:PORT`, `unix:PATH`, `tcp:HOST:PORT`.
 *
 * @module
 */
import { normalize } from "@std/path";
import type { HostPort } from "../libc/inet_address.ts";
import { parseHostPort } from "./host_port.ts";

export { type HostPort, parseHostPort };

/** Why {@linkcode parseHostPort} does not take a text. */
export function hostPortProblem(text: string): string {
  const quoted = JSON.stringify(text);
  return parseHostPort(text.replace(/:[0-9]+$/, ":1")) === null
    ? `${quoted} is not HOST:PORT; an IPv6 address stands in brackets`
    : `${quoted} has no port of 1 to 65535`;
}

/** The address of a Unix or TCP socket. */
export type Target =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp" } & HostPort;

/**
 * Whether a host is this machine alone: `localhost` (RFC 6761), 127.0.0.0/8 or `::1`. Another name
 * may lead anywhere.
 */
export function isLoopback(host: string): boolean {
  if (/^(localhost\.?|127(\.[0-9]{1,3}){3})$/i.test(host)) return true;
  return host.includes(":") && !host.includes("%") &&
    /^\[::(1|ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4})\]$/.test(new URL(`http://[${host}]/`).hostname);
}

/**
 * Parses `unix:PATH` or `tcp:HOST:PORT`.
 *
 * @returns Null when the text is neither. The path is taken as it stands, without a check.
 */
export function parseTarget(text: string): Target | null {
  if (text.startsWith("unix:")) return { kind: "unix", path: text.slice("unix:".length) };
  const address = text.startsWith("tcp:") ? parseHostPort(text.slice("tcp:".length)) : null;
  return address === null ? null : { kind: "tcp", ...address };
}

/**
 * The address of a listener, for comparisons: two spellings of one path or host are equal.
 *
 * @returns `unix:PATH` or `tcp:HOST:PORT`.
 */
export function listenerAddress(listener: Target): string {
  return listener.kind === "unix"
    ? `unix:${normalize(listener.path)}`
    : `tcp:${canonicalHost(listener.host)}:${listener.port}`;
}

function canonicalHost(host: string): string {
  const [address, zone] = host.split("%");
  if (!address!.includes(":")) return host.toLowerCase().replace(/\.$/, "");
  const { hostname } = new URL(`http://[${address}]/`);
  return zone === undefined ? hostname : `${hostname.slice(0, -1)}%${zone}]`;
}

/**
 * Whether a listener is for every IPv6 address of the machine, and another one of a list for every
 * IPv4 address on the same port. Without the other one it serves both families (`ipv6(7)`).
 */
export function leavesIpv4(listener: Target, listeners: readonly Target[]): boolean {
  return listener.kind === "tcp" && canonicalHost(listener.host) === "[::]" &&
    listeners.some((one) =>
      one.kind === "tcp" && one.host === "0.0.0.0" && one.port === listener.port
    );
}

/** The listener of a list that has the same address, whatever its spelling. */
export function findListener<Listener extends Target>(
  listeners: readonly Listener[],
  wanted: Target,
): Listener | undefined {
  const address = listenerAddress(wanted);
  return listeners.find((one) => listenerAddress(one) === address);
}
