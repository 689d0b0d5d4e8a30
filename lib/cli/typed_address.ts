/**
 * Addresses as they were typed on the command line or set in the environment.
 *
 * @module
 */
import { resolve } from "@std/path";
import { parseAddress } from "../config/default_paths.ts";
import { type HostPort, hostPortProblem } from "../net/address.ts";
import { ExitCode, Failure } from "../errors.ts";
import { shellWord } from "../text/shell_word.ts";

/**
 * A Unix socket's path, made absolute.
 *
 * @param typed The path, relative to the current directory or absolute.
 * @throws {Failure} 64 for an abstract name (`unix(7)`): made absolute, it would become a file
 * `@…`.
 */
export function socketPath(typed: string): string {
  if (!typed.startsWith("@")) return resolve(typed);
  throw new Failure(`"${typed}" is an abstract name, which has no file permissions`, {
    exit: ExitCode.usage,
    hint: `--unix=${shellWord(`./${typed}`)}, if a file of that name is meant`,
  });
}

/**
 * A TCP address to connect to.
 *
 * @param typed `HOST`, `HOST:PORT` or `:PORT`, an IPv6 address in brackets; the port is 1 to 65535.
 * @throws {Failure} 64 when it is not one.
 */
export function connectAddress(typed: string): HostPort {
  return parseAddress(typed) ?? refuse(typed);
}

/**
 * A TCP address to listen on.
 *
 * @param typed As for {@linkcode connectAddress}; port 0 is one that the kernel chooses.
 * @throws {Failure} 64 when it is not one.
 */
export function listenAddress(typed: string): HostPort {
  return parseAddress(typed, true) ?? refuse(typed);
}

function refuse(typed: string): never {
  throw new Failure(hostPortProblem(typed), {
    exit: ExitCode.usage,
    hint: `--tcp=${shellWord(meant(typed))}`,
  });
}

/** The address that was probably meant: of an IPv6 address without brackets, or a port alone. */
function meant(typed: string): string {
  const known = [typed.replace(/^(.*):([0-9]+)$/, "[$1]:$2"), `[${typed}]`, `:${typed}`]
    .find((text) => parseAddress(text) !== null);
  return known ?? "127.0.0.1:4569";
}
