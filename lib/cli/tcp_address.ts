/**
 * A TCP address as it was typed.
 *
 * @module
 */
import { type HostPort, parseHostPort } from "../net/address.ts";
import { ExitCode, Failure } from "../errors.ts";

/**
 * An address to connect to.
 *
 * @throws {Failure} 64 when it is none.
 */
export function tcpAddress(typed: string): HostPort {
  return parseHostPort(typed) ?? refuse(typed);
}

/**
 * An address to listen on. Port 0 is one that the kernel chooses.
 *
 * @throws {Failure} 64 when it is none.
 */
export function listenAddress(typed: string): HostPort {
  return parseHostPort(typed, true) ?? refuse(typed);
}

function refuse(typed: string): never {
  throw new Failure(
    `${JSON.stringify(typed)} is not HOST:PORT; an IPv6 address stands in brackets`,
    { exit: ExitCode.usage, hint: "--tcp=127.0.0.1:4569" },
  );
}
