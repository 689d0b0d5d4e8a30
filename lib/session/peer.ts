/**
 * What the kernel says of a peer on a Unix socket.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { executableOf } from "../libc/pidfd.ts";
import { peerCredentials, peerGroups, peerProcess, ucred } from "../libc/peer_credentials.ts";
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
 * How long an answer is good for, in milliseconds. A client that opens many connections at once is asked about
 * once; no pid comes to mean another process in so short a time.
 */
const GOOD_FOR = 10;
/** How many answers are remembered. */
const REMEMBERED = 256;

/**
 * The programs that peers run, for the log only: by the time one is read, the process may have become another one.
 * The pidfd makes sure that it is not another *process*.
 */
export class Executables {
  readonly #known = new Map<
    number,
    { readonly uid: number; readonly until: number; readonly path: string | null }
  >();

  /** @returns The path, or null where the kernel cannot say or will not tell us. */
  of(connection: Descriptor, { pid, uid }: PeerCredentials): string | null {
    const now = performance.now();
    const known = this.#known.get(pid);
    if (known !== undefined && known.uid === uid && now < known.until) return known.path;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    using process = peerProcess(connection);
    const path = process === null ? null : executableOf(process, pid);
    this.#known.set(pid, { uid, until: now + GOOD_FOR, path });
    return path;
  }
}
