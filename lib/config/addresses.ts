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
  if (/\/\.{0,2}$/.test(path)) return reader.refuse(place, `${path} is the path of a directory`);
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

/**
 * `HOST:PORT`, `[IPV6]:PORT`; null when it is neither.
 *
 * @param anyPort Whether the port may be 0: one that the kernel chooses.
 */
export function parseHostPort(text: string, anyPort = false): HostPort | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):(0|[1-9][0-9]{0,4})$/.exec(text);
  if (match === null) return null;
  const [, address, name] = match;
  const port = Number(match[3]);
  const valid = address === undefined ? isHost(name!) : URL.canParse(`http://[${address}]/`);
  return valid && port <= 65535 && (port > 0 || anyPort)
    ? { host: (address ?? name)!, port }
    : null;
}

/** A host name (RFC 1123), or an IPv4 address with all its four numbers. */
function isHost(text: string): boolean {
  const labels = text.split(".");
  // A last label of digits alone makes it an address; a resolver would read 127.1 and 010.0.0.1 its own way.
  if (!/^[0-9]+$/.test(labels.at(-1)!)) {
    return labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  }
  return labels.length === 4 &&
    labels.every((label) => /^(0|[1-9][0-9]{0,2})$/.test(label) && Number(label) <= 255);
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
  const target = parseTarget(text);
  if (target?.kind === "unix") {
    return checkSocketPath(target.path, value, reader) === null ? null : target;
  }
  return target ?? reader.refuse(value, `"${text}" is neither unix:/PATH nor tcp:HOST:PORT`);
}

/** `unix:PATH`, `tcp:HOST:PORT`; null when it is neither. A path is not looked at any closer. */
export function parseTarget(text: string): Target | null {
  if (text.startsWith("unix:")) return { kind: "unix", path: text.slice("unix:".length) };
  const address = text.startsWith("tcp:") ? parseHostPort(text.slice("tcp:".length)) : null;
  return address === null ? null : { kind: "tcp", ...address };
}
