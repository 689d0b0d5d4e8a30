/**
 * What the kernel knows of a peer on a Unix socket.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { executableOf } from "../libc/pidfd.ts";
import { peerCredentials, peerGroups, peerProcess, ucred } from "../libc/peer_credentials.ts";
import type { PeerCredentials, UnixPeer } from "../policy/types.ts";

/**
 * Reads the credentials that the kernel recorded at `connect()` (`unix(7)`, `SO_PEERCRED` and
 * `SO_PEERGROUPS`). Nothing is read from the peer.
 *
 * The groups are read even where no rule needs them today: a rule added later must be able to end
 * this session.
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
 * How long the program of a pid is cached, in milliseconds. A client that opens many connections is
 * looked up once; no pid is reused in so short a time.
 */
const CACHE_MS = 10;
/** How many programs are cached. */
const MAX_CACHED = 256;

/**
 * Looks up the programs of peers, for the log only: by then the process may have executed another
 * program. The pidfd makes sure that it is the same *process* (`SO_PEERPIDFD`, Linux 6.5).
 */
export class ProgramLookup {
  readonly #cache = new Map<
    number,
    { readonly uid: number; readonly until: number; readonly path: string | null }
  >();

  /** @returns The path of the program, or null where the kernel does not say. */
  of(connection: Descriptor, { pid, uid }: PeerCredentials): string | null {
    const now = performance.now();
    const cached = this.#cache.get(pid);
    if (cached !== undefined && cached.uid === uid && now < cached.until) return cached.path;
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    using process = peerProcess(connection);
    const path = process === null ? null : executableOf(process, pid);
    this.#cache.set(pid, { uid, until: now + CACHE_MS, path });
    return path;
  }
}
