/**
 * The socket on which a service manager hears of us (`sd_notify(3)`), and the clock it asks for.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH = 108;
const CLOCK_MONOTONIC = 1;

/**
 * Connects to the socket of `NOTIFY_SOCKET`, which stays so when rights are given up later.
 *
 * @param name A path, or `@` and an abstract name.
 * @returns Null where it is no such name.
 * @throws {SystemError} When nobody listens there.
 */
export function notifySocket(name: string): Descriptor | null {
  const bytes = new TextEncoder().encode(name);
  if (!/^[/@]./.test(name) || bytes.length >= SUN_PATH || bytes.includes(0)) return null;
  const abstract = name.startsWith("@");
  if (abstract) bytes[0] = 0;
  // A path ends with a NUL; every byte of an abstract name counts (unix(7)).
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

/** Sends a message. One that does not arrive is lost: the manager has its own ways to notice. */
export function notify(socket: Descriptor, message: string): void {
  const bytes = new TextEncoder().encode(message);
  libc.send(socket.number, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** `CLOCK_MONOTONIC` in microseconds (`clock_gettime(2)`). */
export function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(2);
  check("clock_gettime", libc.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer)));
  return time[0]! * 1_000_000n + time[1]! / 1_000n;
}
