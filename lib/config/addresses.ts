/**
 * Paths, hosts and ports in a configuration.
 *
 * @module
 */
import type { Place, Value } from "./document.ts";
import type { Reader } from "./reader.ts";
import type { Target } from "./types.ts";

/** `sizeof(sun_path)` of `unix(7)`, its NUL included. */
const UNIX_PATH_MAX = 108;

/** The path of a Unix socket. */
export function readSocketPath(value: Value, reader: Reader): string | null {
  const path = reader.text(value, value, "the socket path");
  return path === null ? null : checkSocketPath(path, value, reader);
}

function checkSocketPath(path: string, place: Place, reader: Reader): string | null {
  if (path.startsWith("@")) {
    return reader.refuse(place, `"${path}" is an abstract name, which has no file permissions`);
  }
  if (!path.startsWith("/")) return reader.refuse(place, `the path ${path} does not begin with /`);
  if (new TextEncoder().encode(path).length >= UNIX_PATH_MAX) {
    return reader.refuse(place, `a socket path has at most ${UNIX_PATH_MAX - 1} bytes`);
  }
  return path;
}

/** A host and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[IPV6]:PORT`; null when it is neither. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):([0-9]{1,5})$/.exec(text);
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || !(port >= 1 && port <= 65535)) return null;
  return { host: (match[1] ?? match[2])!, port };
}

/** The address of a TCP listener. */
export function readHostPort(value: Value, reader: Reader): HostPort | null {
  const text = reader.text(value, value, "the address");
  if (text === null) return null;
  return parseHostPort(text) ??
    reader.refuse(value, `"${text}" is not HOST:PORT; an IPv6 address stands in brackets`);
}

/** The backend of `forward`. */
export function readTarget(value: Value, reader: Reader): Target | null {
  const text = reader.text(value, value, "the target");
  if (text === null) return null;
  if (text.startsWith("unix:")) {
    const path = checkSocketPath(text.slice("unix:".length), value, reader);
    return path === null ? null : { kind: "unix", path };
  }
  const address = text.startsWith("tcp:") ? parseHostPort(text.slice("tcp:".length)) : null;
  if (address !== null) return { kind: "tcp", ...address };
  return reader.refuse(value, `"${text}" is neither unix:/PATH nor tcp:HOST:PORT`);
}
