/**
 * Whether the process behind a backend's socket is the one that the configuration means.
 *
 * The server may have more rights than those who own a directory on the way to the socket. By a
 * link they could lead it to any socket that it may open. So the kernel is asked as which user the
 * backend runs (`SO_PEERCRED`), after connecting and before the first byte.
 *
 * @module
 */
import type { Descriptor } from "../../libc/descriptor.ts";
import { peerCredentials, ucred } from "../../libc/peer_credentials.ts";
import { type PathFacts, pathFacts } from "../../files/path_facts.ts";
import { reasonOf } from "../../files/system_reason.ts";
import { PathStat } from "../../libc/path_stat.ts";
import type { HostFacts } from "../../policy/types.ts";

/** What the trust in a backend depends on. */
export interface BackendTrustOptions {
  /** The path of the socket. */
  readonly path: string;
  readonly hostFacts: HostFacts;
  /** The user that the configuration names; null where it names none. */
  readonly user: string | null;
  /** The uid of that user; null where it is not known now. */
  uidOf(user: string): number | null;
}

/**
 * For how long a path that only root and the server can change is not looked at again, in
 * milliseconds: a change of theirs counts so much later, and thousands of connections a second do
 * not look at it thousands of times.
 */
const STABLE_MS = 5;
/**
 * For how long it is then enough to compare the state of its parts, in milliseconds: that takes the
 * same system calls as to go through the path, and a tenth of the time.
 */
const COMPARED_MS = 1_000;

/** A part of a path, and its state when it was looked at last. */
interface WatchedPart {
  readonly path: string;
  readonly stat: PathStat;
}

/** What is known of a path that only root and the server can change. */
interface StablePath {
  readonly facts: PathFacts;
  /** Until when it is not looked at, and until when its parts are compared. */
  readonly until: number;
  readonly comparedUntil: number;
}

/** Checks the backends of one listener. */
export class BackendTrust {
  readonly #options: BackendTrustOptions;
  #inSticky: readonly WatchedPart[] = [];
  #parts: readonly WatchedPart[] = [];
  #stable: StablePath | null = null;

  constructor(options: BackendTrustOptions) {
    this.#options = options;
  }

  /**
   * Checks a backend.
   *
   * That is one `getsockopt(2)`, and one `statx(2)` for each component of the path. Where the path
   * was found within the last {@linkcode STABLE_MS} to be one that only root and the server can
   * change, it is one for each component that lies in a directory with the sticky bit: none below
   * `/run`, one below `/tmp`. The path is looked at after connecting: a link that was there for the
   * moment of the call is gone, or is seen.
   *
   * @param backend The connection.
   * @returns Why the backend is refused, as the end of a sentence; null where it is accepted.
   */
  problemOf(backend: Descriptor): string | null {
    const { path, hostFacts, user, uidOf } = this.#options;
    if (!peerCredentials(backend)) return "the kernel does not say as which user it runs";
    const { uid } = ucred;
    if (uid === hostFacts.overflowUid) return "it runs as a uid that has no mapping here";
    let facts: PathFacts | null;
    try {
      facts = this.#facts();
    } catch (error) {
      return `its path cannot be looked at: ${reasonOf(error)}`;
    }
    if (facts === null) return `${path} is gone`;
    if (user === null) return problemOfOwner(uid, facts, hostFacts.serverUid);
    const expected = uidOf(user);
    if (expected === null) return `the account of backend_user ${user} is not known`;
    return problemOfUser(uid, expected, user, facts, hostFacts.serverUid);
  }

  #facts(): PathFacts | null {
    const now = performance.now();
    // Before the path is looked at: a later change is seen the next time.
    const isSame = areSame(this.#inSticky);
    const stable = this.#stable;
    if (stable !== null && isSame && now < stable.until) return stable.facts;
    const areKept = areSame(this.#parts);
    const until = now + STABLE_MS;
    if (stable !== null && isSame && areKept && now < stable.comparedUntil) {
      this.#stable = { ...stable, until };
      return stable.facts;
    }
    const facts = pathFacts(this.#options.path, this.#options.hostFacts.serverUid);
    this.#stable = facts?.isStable && isSame && this.#watches(facts)
      ? { facts, until, comparedUntil: now + COMPARED_MS }
      : null;
    return facts;
  }

  /** Whether these parts were watched before the path was looked at; they are from here on. */
  #watches({ inSticky, parts }: PathFacts): boolean {
    if (arePaths(this.#parts, parts) && arePaths(this.#inSticky, inSticky)) return true;
    this.#parts = watched(parts);
    this.#inSticky = watched(inSticky);
    return false;
  }
}

function watched(paths: readonly string[]): readonly WatchedPart[] {
  return paths.map((path) => {
    const stat = new PathStat(path, false);
    stat.update();
    return { path, stat };
  });
}

function arePaths(parts: readonly WatchedPart[], paths: readonly string[]): boolean {
  return paths.length === parts.length && paths.every((path, at) => path === parts[at]!.path);
}

/**
 * Takes the state of each part.
 *
 * @returns Whether each of them is there, and has not changed since the last time. Of a part that
 * cannot be looked at an equal error says nothing.
 */
function areSame(parts: readonly WatchedPart[]): boolean {
  let isSame = true;
  for (const { stat } of parts) isSame = !stat.update() && stat.exists && isSame;
  return isSame;
}

/** A backend of root, of the server or, in a directory of another user, of that user. */
function problemOfOwner(uid: number, facts: PathFacts, serverUid: number): string | null {
  const { owners, shared } = facts;
  const [owner, another] = owners;
  if (owner === undefined) {
    if (uid !== 0 && uid !== serverUid) {
      return `it runs as uid ${uid}, which is neither root, the server nor the owner of its ` +
        "directory, and backend_user names no user";
    }
    return shared === null ? null : `others may write to ${shared} and put another socket there`;
  }
  if (another !== undefined) {
    return `uid ${owner[0]} owns ${owner[1]} and uid ${another[0]} owns ${another[1]}, and each ` +
      "could put another socket there";
  }
  return uid === owner[0]
    ? null
    : `it runs as uid ${uid}, and uid ${owner[0]}, who owns ${owner[1]}, could have put it there`;
}

/** A backend of the user that the configuration names. */
function problemOfUser(
  uid: number,
  expected: number,
  user: string,
  { owners, shared }: PathFacts,
  serverUid: number,
): string | null {
  if (uid !== expected) {
    return `it runs as uid ${uid}, and backend_user is ${user}, uid ${expected}`;
  }
  for (const [owner, place] of owners) {
    if (owner !== expected) return `uid ${owner}, who owns ${place}, could have put it there`;
  }
  if (shared !== null && (expected === 0 || expected === serverUid)) {
    return `others may write to ${shared} and put another socket there`;
  }
  return null;
}
