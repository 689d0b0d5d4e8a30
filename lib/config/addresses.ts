/**
 * Readers of the socket paths, hosts and ports in a configuration.
 *
 * @module
 */
import { UNIX_PATH_MAX } from "../libc/constants.ts";
import {
  type HostPort,
  hostPortProblem,
  parseHostPort,
  parseTarget,
  type Target,
} from "../net/address.ts";
import type { Place, Value } from "./document.ts";
import type { Reader } from "./reader.ts";

/** Reads the path of a Unix socket. */
export function readSocketPath(value: Value, reader: Reader): string | null {
  const path = reader.text(value, value, "the socket path");
  return path === null ? null : checkSocketPath(path, value, reader);
}

function checkSocketPath(path: string, place: Place, reader: Reader): string | null {
  const problem = socketPathProblem(path);
  return problem === null ? path : reader.refuse(place, problem);
}

/** Why a text cannot be the path of a socket; null where it can. */
export function socketPathProblem(path: string): string | null {
  if (path === "") return "the socket path is missing";
  if (path.startsWith("@")) return `"${path}" is an abstract name, which has no file permissions`;
  if (!path.startsWith("/")) return `the path ${path} does not begin with /`;
  if (/\/\.{0,2}$/.test(path)) return `${path} is the path of a directory`;
  if (new TextEncoder().encode(path).length >= UNIX_PATH_MAX) {
    return `a socket path has at most ${UNIX_PATH_MAX - 1} bytes`;
  }
  return null;
}

/** Reads the address of a TCP listener. */
export function readHostPort(value: Value, reader: Reader): HostPort | null {
  const text = reader.text(value, value, "the address");
  if (text === null) return null;
  return parseHostPort(text) ??
    reader.refuse(value, hostPortProblem(text));
}

/** Reads the backend of `forward`. */
export function readTarget(value: Value, reader: Reader): Target | null {
  const text = reader.text(value, value, "the target");
  if (text === null) return null;
  const target = parseTarget(text);
  if (target?.kind === "unix") {
    return checkSocketPath(target.path, value, reader) === null ? null : target;
  }
  return target ?? reader.refuse(value, `"${text}" is neither unix:/PATH nor tcp:HOST:PORT`);
}
