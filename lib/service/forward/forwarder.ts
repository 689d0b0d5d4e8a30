/**
 * The service `forward`: joins a client to a backend, in the data plane.
 *
 * @module
 */
import type { ServiceConfig } from "../../config/types.ts";
import type { Descriptor } from "../../libc/descriptor.ts";
import { Errno } from "../../libc/errno.ts";
import type { SocketAddress } from "../../libc/inet_address.ts";
import { setTcpOptions } from "../../libc/tcp_socket.ts";
import { unixAddress } from "../../libc/unix_address.ts";
import type { CloseReason } from "../../log/session_event.ts";
import type { ConnectQueue } from "../../net/connect_queue.ts";
import { Relay } from "../../net/relay.ts";
import type { RelayOutcome, RelayOwner, TerminationReason } from "../../net/relay_outcome.ts";
import type { RelayConnection } from "../../net/relay_end.ts";
import { type AccountContext, openWithAccount } from "../account_wait.ts";
import type { DataPlaneContext, RelayContext } from "../../session/data_plane_context.ts";
import { IdleTimer } from "../../session/idle_timer.ts";
import type { ClientConnection, Service } from "../../session/service.ts";
import {
  type ByteCounts,
  byteCounts,
  type Session,
  type SessionHandle,
} from "../../session/session.ts";
import { BackendConnect, connectUnix } from "./backend_connect.ts";
import { type BackendIdentity, backendIdentity } from "./backend_identity.ts";
import { BackendTrust } from "./backend_trust.ts";
import { TcpBackend } from "./tcp_backend.ts";

/** What the service `forward` needs of the data plane. */
export type ForwardContext =
  & RelayContext
  & AccountContext
  & Pick<DataPlaneContext, "hostFacts" | "connectQueues">;

/** Forwards connections to one backend. */
export class Forwarder implements Service {
  readonly name = "forward";
  readonly #context: ForwardContext;
  readonly #kind: "unix" | "tcp";
  readonly #backend: { readonly address: SocketAddress; readonly queue: ConnectQueue } | TcpBackend;
  readonly #identity: BackendIdentity;
  /** Null for a backend on TCP. */
  readonly #trust: BackendTrust | null;
  readonly #idleTimeoutMs: () => number;

  /**
   * @param service The backend, and what it is told of the client.
   * @param idleTimeoutMs How long a session may be idle, in milliseconds; 0 for no limit.
   * @throws {Failure} 78 when this process may not impersonate users.
   */
  constructor(
    context: ForwardContext,
    { target, identity, backendUser: user }: ServiceConfig & { kind: "forward" },
    idleTimeoutMs: () => number,
  ) {
    this.#identity = backendIdentity(identity, context.names);
    this.#context = context;
    this.#kind = target.kind;
    this.#backend = target.kind === "unix"
      ? { address: unixAddress(target.path), queue: context.connectQueues.of(target.path) }
      : new TcpBackend(context.names, target);
    const { hostFacts, names } = context;
    this.#trust = target.kind === "tcp" ? null : new BackendTrust({
      path: target.path,
      hostFacts,
      user,
      uidOf: (name) => names.uidOf(name),
    });
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  open(session: Session, client: ClientConnection): SessionHandle {
    const uid = this.#identity.uidOf(session);
    if (uid === null) return this.#open(session, client);
    const open = (_: unknown, connection: ClientConnection) => this.#open(session, connection);
    return openWithAccount(this.#context, session, client, { uid, reason: "backend-error", open });
  }

  #open(session: Session, client: ClientConnection): SessionHandle {
    const { reactor } = this.#context;
    const backendConnect = () =>
      new BackendConnect(reactor, session, client, (...ends) => this.#join(session, ...ends));
    try {
      if (this.#backend instanceof TcpBackend) return backendConnect().toTcp(this.#backend);
      const { address, queue } = this.#backend;
      const attempt = () => connectUnix(this.#identity, session, address);
      if (queue.size > 0) return backendConnect().toUnix(queue, attempt);
      // A backend on this host normally accepts at once: then no BackendConnect is needed.
      const backend = attempt();
      if (backend === Errno.EAGAIN) return backendConnect().toUnix(queue, attempt);
      if (typeof backend === "number") return backendConnect().fail("backend-refused");
      const handle = this.#join(session, client, backend);
      return typeof handle === "string" ? backendConnect().fail(handle) : handle;
    } catch (error) {
      // No descriptor is left, for example: this session has no backend, and others are not
      // affected.
      reactor.report(error);
      return backendConnect().fail("backend-error");
    }
  }

  /**
   * @returns The reason to end the session when the backend is refused, or the identity cannot be
   * sent to it; it is closed then.
   */
  #join(
    session: Session,
    client: ClientConnection,
    backend: Descriptor,
  ): SessionHandle | CloseReason {
    const problem = this.#trust?.problemOf(backend) ?? null;
    if (problem !== null) {
      backend.close();
      const { id, facts } = session;
      this.#context.events.logError(
        `Session ${id} of ${facts.listener} is refused its backend: ${problem}`,
      );
      return "backend-untrusted";
    }
    let unsent: Uint8Array | null;
    try {
      if (this.#kind === "tcp") setTcpOptions(backend);
      unsent = this.#identity.before(session, client.descriptor);
    } catch (error) {
      this.#context.reactor.report(error);
      backend.close();
      return "backend-error";
    }
    const end = { descriptor: backend, kind: this.#kind, seal: null, unsent };
    return new ForwardSession(this.#context, session, client, end, this.#idleTimeoutMs());
  }
}

/** A session that is joined to its backend. */
class ForwardSession implements SessionHandle, RelayOwner {
  readonly #session: Session;
  readonly #relay: Relay;
  readonly #idleTimer: IdleTimer | null;

  constructor(
    { reactor, buffers }: RelayContext,
    session: Session,
    client: ClientConnection,
    backend: RelayConnection,
    idleTimeoutMs: number,
  ) {
    this.#session = session;
    this.#relay = new Relay(reactor, buffers, client, backend, this);
    this.#idleTimer = IdleTimer.start(reactor, session, this.#relay, idleTimeoutMs);
  }

  terminate(reason: TerminationReason): void {
    this.#relay.abort(reason);
  }

  bytes(): ByteCounts {
    const { first, second } = this.#relay.bytes;
    return { in: first, out: second };
  }

  onRelayClosed(outcome: RelayOutcome): void {
    this.#idleTimer?.cancel();
    this.#session.recordBytes(byteCounts(outcome));
    this.#session.end(outcome.brokenEnd === "second" ? "backend-error" : outcome.reason);
  }
}
