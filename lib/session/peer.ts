/**
 * What the kernel says of a peer on a Unix socket.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { executableOf } from "../libc/pidfd.ts";
import { peerCredentials, peerGroups, peerProcess, ucred } from "../libc/sockets.ts";
import type { PeerCredentials, UnixPeer } from "../policy/types.ts";

/**
 * Reads the credentials of `connect()`; nothing is asked of the peer itself.
 *
 * The groups are read even where no rule asks about them today: a rule that comes tomorrow has to be
 * able to end this session.
 *
 * @param connection The accepted connection.
 */
export function readPeer(connection: Descriptor): UnixPeer {
  if (!peerCredentials(connection)) return { credentials: null, groups: null };
  return {
    credentials: { pid: ucred.pid, uid: ucred.uid, gid: ucred.gid },
    groups: peerGroups(connection),
  };
}

/**
 * The program a peer runs, for the log only: by the time it is read, the process may have become
 * another one. The pidfd makes sure that it is not another *process*.
 *
 * @returns The path, or null where the kernel cannot say or will not tell us.
 */
export function readExecutable(
  connection: Descriptor,
  credentials: PeerCredentials,
): string | null {
  using process = peerProcess(connection);
  return process === null ? null : executableOf(process, credentials.pid);
}
