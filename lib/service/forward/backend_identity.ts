/**
 * What a backend is told of the peer whose connection it gets.
 *
 * @module
 */
import type { ForwardIdentity } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import { ThreadImpersonation } from "../../libc/thread_impersonation.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { Errno, SystemError } from "../../libc/errno.ts";
import { type HostPort, localAddress, resolveHost } from "../../libc/inet_address.ts";
import type { Session } from "../../session/session_table.ts";
import { peerIdentity } from "../peer_identity.ts";
import { LOCAL, type ProxyAddress, proxyHeader } from "./proxy_header.ts";

/** One way to tell it. */
export interface BackendIdentity {
  /**
   * Connects to the backend in the way in which it is told.
   *
   * @param peer The peer's connection.
   * @param connect Connects; answers 0 or the error number.
   * @returns The same. An identity that cannot be established is `EPERM`, and nobody has connected.
   */
  connecting(session: Session, peer: Descriptor, connect: () => number): number;

  /** What goes to the backend before anything else, or null. */
  before(session: Session, peer: Descriptor): Uint8Array | null;
}

/**
 * The way that a configuration names.
 *
 * @throws {Failure} 78 when it takes rights that this process does not have.
 */
export function backendIdentity(identity: ForwardIdentity): BackendIdentity {
  switch (identity) {
    case "none":
      return { connecting: (_session, _peer, connect) => connect(), before: () => null };
    case "proxy-v2":
      return { connecting: (_session, _peer, connect) => connect(), before: header };
    case "impersonate":
      return new Impersonation();
  }
}

function header({ facts }: Session, peer: Descriptor): Uint8Array {
  const { origin, identity, user } = facts;
  const sender = { user, uid: identity.uid, gid: identity.gid, pid: null, keyId: null };
  if (origin.kind === "unix") {
    return proxyHeader({ ...sender, pid: origin.credentials.pid }, LOCAL);
  }
  const addresses = [addressOf(origin.remote), addressOf(localAddress(peer))] as const;
  return proxyHeader({ ...sender, keyId: origin.keyId }, ...addresses);
}

/** The bytes of an address in digits. */
function addressOf({ host, port }: HostPort): ProxyAddress {
  const [address] = resolveHost(host, port);
  if (address === undefined) throw new Error(`${host} is no address in digits`);
  // struct sockaddr_in and sockaddr_in6 (netinet/in.h)
  const bytes = host.includes(":") ? address.subarray(8, 24) : address.subarray(4, 8);
  return { bytes, port };
}

/** The backend's own SO_PEERCRED and SO_PEERGROUPS are the peer's. */
class Impersonation implements BackendIdentity {
  readonly #loan: ThreadImpersonation;

  constructor() {
    try {
      this.#loan = new ThreadImpersonation();
    } catch (cause) {
      if (!(cause instanceof SystemError) || cause.errno !== Errno.EPERM) throw cause;
      throw new Failure("identity: impersonate needs a server that is root and may become others", {
        exit: ExitCode.config,
        hint: "run it as root, with CAP_SETUID and CAP_SETGID, or use identity: proxy-v2",
        cause,
      });
    }
  }

  connecting(session: Session, peer: Descriptor, connect: () => number): number {
    try {
      const identity = peerIdentity(session, peer);
      return identity === null ? Errno.EPERM : this.#loan.run(identity, connect);
    } catch (error) {
      if (error instanceof SystemError) return error.errno;
      throw error;
    }
  }

  before(): null {
    return null;
  }
}
