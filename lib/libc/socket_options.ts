/**
 * Socket options whose value is an `int`: `getsockopt(2)`, `setsockopt(2)`.
 *
 * @module
 */
import type { Descriptor } from "./descriptor.ts";
import { check } from "./errno.ts";
import { libc } from "./symbols.ts";

const value = new Int32Array(1);
const valueBytes = new Uint8Array(value.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/**
 * Reads an option.
 *
 * @param socket The number of the descriptor.
 * @param level Such as `SOL_SOCKET`.
 * @param option Such as `SO_TYPE`.
 * @throws {SystemError} `EBADF` or `ENOTSOCK` when it is no socket, `ENOPROTOOPT` for an unknown
 * option.
 */
export function readOption(socket: number, level: number, option: number): number {
  length[0] = valueBytes.length;
  check("getsockopt", libc.getsockopt(socket, level, option, valueBytes, lengthBytes));
  return value[0]!;
}

/**
 * Sets an option.
 *
 * @param level Such as `IPPROTO_TCP`.
 * @param option Such as `TCP_NODELAY`.
 * @throws {SystemError} `EINVAL` for a value the kernel does not take, `ENOPROTOOPT` for an unknown
 * option.
 */
export function setOption(
  socket: Descriptor,
  level: number,
  option: number,
  newValue: number,
): void {
  value[0] = newValue;
  check(
    "setsockopt",
    libc.setsockopt(socket.number, level, option, valueBytes, valueBytes.length),
  );
}
