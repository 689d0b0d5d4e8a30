/**
 * The service `forward`: joins the peer to a backend, in the data plane.
 *
 * @module
 */
import type { ForwardIdentity, Target } from "../../config/types.ts";
import { ExitCode, Failure } from "../../errors.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { SystemError } from "../../libc/errno.ts";
import {
  hostPortText,
  NameError,
  resolveHost,
  type SocketAddress,
} from "../../libc/inet_address.ts";
import { setTcpOptions } from "../../libc/tcp_socket.ts";
import { unixAddress } from "../../libc/unix_address.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import { Relay, type RelayOutcome, type RelayOwner } from "../../net/relay.ts";
import type { RelayBuffers } from "../../net/relay_buffers.ts";
import type { RelayConnection } from "../../net/relay_end.ts";
import type { ClientConnection, Service, SessionHandle } from "../../session/service.ts";
import type { CloseReason, Session } from "../../session/session_table.ts";
import { IdleTimer } from "../../session/idle_timer.ts";
import { BackendConnect, connectUnix } from "./backend_connect.ts";
import { type BackendIdentity, backendIdentity } from "./backend_identity.ts";

/** Where connections are forwarded to. */
export class Forwarder implements Service {
  readonly name = "forward";
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #kind: "unix" | "tcp";
  readonly #addresses: readonly [SocketAddress, ...SocketAddress[]];
  readonly #passOn: BackendIdentity;
  readonly #idleTimeout: () => number;

  /**
   * @param target The backend. The addresses of a host are asked for once, now.
   * @param identity What the backend is told of the peer.
   * @param idleTimeout How long a session may be silent, in milliseconds; 0 for ever.
   * @throws {Failure} 78 when the host has no address, or this process may not become others and is to.
   */
  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    target: Target,
    identity: ForwardIdentity,
    idleTimeout: () => number,
  ) {
    this.#passOn = backendIdentity(identity);
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#kind = target.kind;
    this.#addresses = addressesOf(target);
    this.#idleTimeout = idleTimeout;
  }

  open(session: Session, line: ClientConnection): SessionHandle {
    const peer: RelayConnection = { ...line, seal: line.channel };
    const approach = () =>
      new BackendConnect(this.#reactor, session, peer, (...ends) => this.#join(session, ...ends));
    try {
      if (this.#kind === "tcp") return approach().toTcp(this.#addresses);
      // Nearly every backend on this machine takes us at once, and there is nothing to wait for.
      const [address] = this.#addresses;
      const dial = () => connectUnix(this.#passOn, session, peer.descriptor, address);
      const backend = dial();
      return typeof backend === "number"
        ? approach().toUnix(backend, dial)
        : this.#join(session, peer, backend) ?? approach().giveUp();
    } catch {
      // Out of descriptors, say: this session has no backend, and the others go on.
      return approach().giveUp();
    }
  }

  /** @returns Null when the backend cannot be told who comes: it gets nobody, and is closed. */
  #join(session: Session, peer: RelayConnection, backend: Descriptor): SessionHandle | null {
    let unsent: Uint8Array | null;
    try {
      if (this.#kind === "tcp") setTcpOptions(backend);
      unsent = this.#passOn.before(session, peer.descriptor);
    } catch {
      backend.close();
      return null;
    }
    const end = { descriptor: backend, kind: this.#kind, seal: null, unsent };
    return new ForwardSession(
      this.#reactor,
      this.#buffers,
      session,
      peer,
      end,
      this.#idleTimeout(),
    );
  }
}

/** A session that is joined to its backend. */
class ForwardSession implements SessionHandle, RelayOwner {
  readonly #session: Session;
  readonly #relay: Relay;
  readonly #idleTimer: IdleTimer | null;

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    session: Session,
    peer: RelayConnection,
    backend: RelayConnection,
    idleTimeout: number,
  ) {
    this.#session = session;
    this.#relay = new Relay(reactor, buffers, peer, backend, this);
    this.#idleTimer = IdleTimer.start(reactor, session, this.#relay, idleTimeout);
  }

  terminate(): void {
    this.#relay.abort("error");
  }

  onRelayClosed({ bytesIn, bytesOut, reason, brokenEnd }: RelayOutcome): void {
    this.#idleTimer?.cancel();
    this.#session.recordBytes({ in: bytesIn, out: bytesOut });
    this.#session.end(brokenEnd === "second" ? "backend-error" : reason as CloseReason);
  }
}

function addressesOf(target: Target): readonly [SocketAddress, ...SocketAddress[]] {
  if (target.kind === "unix") return [unixAddress(target.path)];
  try {
    const [first, ...others] = resolveHost(target.host, target.port);
    if (first === undefined) throw new NameError(`the host "${target.host}" has no address`);
    return [first, ...others];
  } catch (cause) {
    if (!(cause instanceof NameError || cause instanceof SystemError)) throw cause;
    throw new Failure(`Cannot forward to tcp:${hostPortText(target)}: ${cause.message}`, {
      exit: ExitCode.config,
      hint: `getent ahosts ${target.host}`,
      cause,
    });
  }
}
