/**
 * Messages to the service manager (`sd_notify(3)`), and the clock that they use.
 *
 * @module
 */
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  UNIX_PATH_MAX,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

// linux/time.h
const CLOCK_MONOTONIC = 1;

/**
 * Connects to the socket that `NOTIFY_SOCKET` names. The connection outlives root's rights, which a
 * later `connect(2)` may need.
 *
 * @param name An absolute path, or `@` and an abstract name.
 * @returns The socket, or null when the name is neither, or is too long.
 * @throws {SystemError} `ENOENT` or `ECONNREFUSED` when no process listens there.
 */
export function notifySocket(name: string): Descriptor | null {
  const bytes = new TextEncoder().encode(name);
  if (!/^[/@]./.test(name) || bytes.length >= UNIX_PATH_MAX || bytes.includes(0)) return null;
  const abstract = name.startsWith("@");
  if (abstract) bytes[0] = 0;
  // A path ends in a NUL; every byte of an abstract name counts, a NUL as well (unix(7)).
  const address = new Uint8Array(2 + bytes.length + (abstract ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(bytes, 2);
  const socket = new Descriptor(
    check("socket", libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
  );
  try {
    check("connect", libc.connect(socket.number, address, address.length));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * Sends a message as one datagram. A failure is ignored: the manager notices a missing message by
 * its own timeouts.
 *
 * @param message Lines `NAME=VALUE`.
 */
export function notify(socket: Descriptor, message: string): void {
  const bytes = new TextEncoder().encode(message);
  libc.send(socket.number, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** Reads `CLOCK_MONOTONIC` in microseconds (`clock_gettime(2)`). */
export function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2);
  check("clock_gettime", libc.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer)));
  return time[0]! * 1_000_000n + time[1]! / 1_000n;
}
