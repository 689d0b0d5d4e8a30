/**
 * `identity:` of the service `forward`: what a backend is told of the client.
 *
 * @module
 */
import type { ForwardIdentity } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { Errno, SystemError } from "../../libc/errno.ts";
import { type HostPort, localAddress, numericAddress } from "../../libc/inet_address.ts";
import { ThreadImpersonation } from "../../libc/thread_impersonation.ts";
import type { Session } from "../../session/session.ts";
import type { KnownNames } from "../../names/known_names.ts";
import { peerIdentity } from "../peer_identity.ts";
import { LOCAL, type ProxyAddress, proxyHeader } from "./proxy_header.ts";

/** One way to tell a backend who the client is. */
export interface BackendIdentity {
  /** The uid whose account {@linkcode connecting} needs to be known; null where it needs none. */
  uidOf(session: Session): number | null;

  /**
   * Runs `connect` so that the backend sees the identity.
   *
   * @param connect Connects to the backend; returns 0 or an error number.
   * @returns The same. `EPERM` where the identity cannot be established; then nothing has
   * connected.
   */
  connecting(session: Session, connect: () => number): number;

  /**
   * The bytes that the backend receives before those of the client, or null.
   *
   * @param client The client's connection.
   */
  before(session: Session, client: Descriptor): Uint8Array | null;
}

/**
 * The way that the configuration names.
 *
 * @param names The accounts of users who are known by a key.
 * @throws {Failure} 78 when this process may not impersonate users.
 */
export function backendIdentity(identity: ForwardIdentity, names: KnownNames): BackendIdentity {
  const own: Pick<BackendIdentity, "uidOf" | "connecting"> = {
    uidOf: () => null,
    connecting: (_session, connect) => connect(),
  };
  switch (identity) {
    case "none":
      return { ...own, before: () => null };
    case "proxy-v2":
      return { ...own, before: headerOf };
    case "impersonate":
      return new Impersonation(names);
  }
}

function headerOf({ facts }: Session, client: Descriptor): Uint8Array {
  const { origin, identity, user } = facts;
  const sender = { user, uid: identity.uid, gid: identity.gid, pid: null, keyId: null };
  if (origin.kind === "unix") {
    return proxyHeader({ ...sender, pid: origin.credentials.pid }, LOCAL);
  }
  const addresses = [addressOf(origin.remote), addressOf(localAddress(client))] as const;
  return proxyHeader({ ...sender, keyId: origin.keyId }, ...addresses);
}

/** The bytes of an address in digits. */
function addressOf({ host, port }: HostPort): ProxyAddress {
  const address = numericAddress(host, port);
  if (address === null) throw new Error(`${host} is no address in digits`);
  // struct sockaddr_in and sockaddr_in6 (netinet/in.h)
  const bytes = host.includes(":") ? address.subarray(8, 24) : address.subarray(4, 8);
  return { bytes, port };
}

/** Connects with the client's uid, gid and groups, which the backend's `SO_PEERCRED` then names. */
class Impersonation implements BackendIdentity {
  readonly #thread: ThreadImpersonation;
  readonly #names: KnownNames;

  constructor(names: KnownNames) {
    this.#names = names;
    try {
      this.#thread = new ThreadImpersonation();
    } catch (cause) {
      if (!(cause instanceof SystemError) || cause.errno !== Errno.EPERM) throw cause;
      throw new Failure("identity: impersonate needs a server that is root and may become others", {
        exit: ExitCode.config,
        hint: "run it as root, with CAP_SETUID and CAP_SETGID, or use identity: proxy-v2",
        cause,
      });
    }
  }

  uidOf({ facts: { origin, identity } }: Session): number | null {
    return origin.kind === "tcp" ? identity.uid : null;
  }

  connecting(session: Session, connect: () => number): number {
    try {
      const uid = this.uidOf(session);
      const identity = peerIdentity(session, uid === null ? null : this.#names.account(uid));
      return identity === null ? Errno.EPERM : this.#thread.run(identity, connect);
    } catch (error) {
      if (error instanceof SystemError) return error.errno;
      throw error;
    }
  }

  before(): null {
    return null;
  }
}
