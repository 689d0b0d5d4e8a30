/**
 * The process at the other end of a Unix connection, as the kernel recorded it: `unix(7)`.
 *
 * @module
 */
import { NO_ID, SOL_SOCKET } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { Errno, errno } from "./errno.ts";
import { libc } from "./symbols.ts";

// asm-generic/socket.h
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;

const credentials = new Uint32Array(3);
const credentialsBytes = new Uint8Array(credentials.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/**
 * The answer to the last {@linkcode peerCredentials}: a `struct ucred` (linux/socket.h). The next
 * call overwrites it, so that none is allocated for a connection; copy what is needed longer.
 */
export const ucred = {
  get pid(): number {
    return credentials[0]!;
  },
  get uid(): number {
    return credentials[1]!;
  },
  get gid(): number {
    return credentials[2]!;
  },
};

/**
 * Reads the peer's pid, effective uid and gid (`SO_PEERCRED`) into {@linkcode ucred}. They are
 * those at `connect(2)`; on the client's side, those of the server at `listen(2)`.
 *
 * @returns Whether the kernel gave an answer of the right length. Otherwise all of
 * {@linkcode ucred} is 4294967295, so that the answer for an earlier peer cannot be taken for this
 * one's.
 */
export function peerCredentials(socket: Descriptor): boolean {
  length[0] = credentialsBytes.length;
  const result = libc.getsockopt(
    socket.number,
    SOL_SOCKET,
    SO_PEERCRED,
    credentialsBytes,
    lengthBytes,
  );
  if (result === 0 && length[0] === credentialsBytes.length) return true;
  credentials.fill(NO_ID);
  return false;
}

/** Grows to the largest number of groups that a peer had. */
let groups = new Uint32Array(64);

/**
 * Reads the peer's supplementary groups at `connect(2)` (`SO_PEERGROUPS`, Linux 4.13).
 *
 * @returns The gids, or null when the kernel gave no answer.
 */
export function peerGroups(socket: Descriptor): number[] | null {
  // A process has at most 65,536 groups (NGROUPS_MAX, linux/limits.h). After ERANGE the kernel has
  // said the length that is needed, and it does not change: the groups are those at connect(2).
  for (let attempt = 0; attempt < 2; attempt++) {
    length[0] = groups.byteLength;
    const bytes = new Uint8Array(groups.buffer);
    if (libc.getsockopt(socket.number, SOL_SOCKET, SO_PEERGROUPS, bytes, lengthBytes) === 0) {
      return Array.from(groups.subarray(0, length[0]! / 4));
    }
    if (errno() !== Errno.ERANGE) return null;
    groups = new Uint32Array(Math.ceil(length[0]! / 4));
  }
  return null;
}

const number = new Int32Array(1);
const numberBytes = new Uint8Array(number.buffer);

/**
 * Opens a pidfd of the peer's process (`SO_PEERPIDFD`, Linux 6.5). Unlike the pid it cannot come to
 * mean another process.
 *
 * @returns The pidfd, or null when the kernel does not give one.
 */
export function peerProcess(socket: Descriptor): Descriptor | null {
  length[0] = number.byteLength;
  const result = libc.getsockopt(
    socket.number,
    SOL_SOCKET,
    SO_PEERPIDFD,
    numberBytes,
    lengthBytes,
  );
  return result === 0 ? new Descriptor(number[0]!) : null;
}
