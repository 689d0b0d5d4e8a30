/**
 * What the kernel knows of a peer on a Unix socket.
 *
 * @module
 */
import type { Descriptor } from "../libc/descriptor.ts";
import { commandLineOf, executableOf } from "../libc/pidfd.ts";
import type { EventPeer } from "../log/session_event.ts";
import { peerCredentials, peerGroups, peerProcess, ucred } from "../libc/peer_credentials.ts";
import type { PeerCredentials, UnixPeer } from "../policy/types.ts";
import { isRuntime, runtimeProgram } from "./runtime_program.ts";

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

/** The program of a peer. */
export type ExecutableFacts = Pick<EventPeer, "exe" | "program">;

/** What is said where the kernel does not say. */
export const UNKNOWN: ExecutableFacts = { exe: null };

function lookUp(process: Descriptor, pid: number): ExecutableFacts {
  const exe = executableOf(process, pid);
  if (exe === null || !isRuntime(exe)) return { exe };
  const line = commandLineOf(process, pid);
  return { exe, program: line === null ? null : runtimeProgram(exe, line) };
}

/**
 * Looks up the programs of peers, for the log only: by then the process may have executed another
 * program. The pidfd makes sure that it is the same *process* (`SO_PEERPIDFD`, Linux 6.5).
 */
export class ExecutableLookup {
  readonly #cache = new Map<
    number,
    { readonly uid: number; readonly until: number; readonly found: ExecutableFacts }
  >();

  /** Looks up the program of a peer. One that runs programs of others costs four calls more. */
  of(connection: Descriptor, { pid, uid }: PeerCredentials): ExecutableFacts {
    const now = performance.now();
    const cached = this.#cache.get(pid);
    if (cached !== undefined && cached.uid === uid && now < cached.until) return cached.found;
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    using process = peerProcess(connection);
    const found = process === null ? UNKNOWN : lookUp(process, pid);
    this.#cache.set(pid, { uid, until: now + CACHE_MS, found });
    return found;
  }
}
