/**
 * A session whose backend has not accepted its connection yet.
 *
 * @module
 */
import type { Descriptor } from "../../libc/descriptor.ts";
import type { SocketAddress } from "../../libc/inet_address.ts";
import { connect, unixSocket } from "../../libc/sockets.ts";
import type { CloseReason } from "../../log/session_event.ts";
import type { ConnectQueue } from "../../net/connect_queue.ts";
import type { ConnectError, ConnectHandler } from "../../net/connector.ts";
import type { TerminationReason } from "../../net/relay_outcome.ts";
import { TcpConnector } from "../../net/tcp_connector.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { ClientConnection } from "../../session/service.ts";
import type { Session, SessionHandle } from "../../session/session.ts";
import { WaitingClient } from "../../session/waiting_client.ts";
import type { BackendIdentity } from "./backend_identity.ts";
import type { TcpBackend } from "./tcp_backend.ts";

/** How long a backend may take to accept a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

const CLOSE_REASONS: Readonly<Record<ConnectError["kind"], CloseReason>> = {
  refused: "backend-refused",
  timeout: "backend-timeout",
  system: "backend-error",
};

/**
 * Connects to a backend on a Unix socket, with the identity that the backend is to see.
 *
 * @returns The connection, or an error number.
 */
export function connectUnix(
  identity: BackendIdentity,
  session: Session,
  address: SocketAddress,
): Descriptor | number {
  const backend = unixSocket();
  const error = identity.connecting(session, () => connect(backend, address));
  if (error === 0) return backend;
  backend.close();
  return error;
}

/**
 * Joins a client to its backend.
 *
 * @returns The reason to end the session when that fails; the backend is closed then.
 */
type Join = (client: ClientConnection, backend: Descriptor) => SessionHandle | CloseReason;

/** The handle of a session until its backend has accepted. */
export class BackendConnect implements SessionHandle, ConnectHandler {
  readonly #reactor: Reactor;
  readonly #session: Session;
  readonly #client: WaitingClient;
  readonly #join: Join;
  /** The backend on TCP that is being connected to; null before that, and on a Unix socket. */
  #tcp: TcpBackend | null = null;
  #cancelAttempts: () => void = () => {};
  #settled = false;

  constructor(reactor: Reactor, session: Session, client: ClientConnection, join: Join) {
    this.#reactor = reactor;
    this.#session = session;
    this.#client = new WaitingClient(client, (reason) => this.#end(reason));
    this.#join = join;
  }

  /** Waits for a backend on a Unix socket whose backlog is full. @param attempt Connects. */
  toUnix(queue: ConnectQueue, attempt: () => Descriptor | number): SessionHandle {
    this.#client.watch(this.#reactor);
    this.#cancelAttempts = queue.add(attempt, CONNECT_TIMEOUT_MS, this);
    return this;
  }

  /** Connects to the first address of a backend on TCP that accepts, once they are known. */
  toTcp(tcp: TcpBackend): SessionHandle {
    const { addresses } = tcp;
    if (addresses === null) return this.#awaitAddresses(tcp);
    // The name service knows no such host: it is asked again and again, and may know it later.
    if (addresses.length === 0) return this.#endSoon("backend-error");
    this.#tcp = tcp;
    const connector = new TcpConnector(this.#reactor, addresses, CONNECT_TIMEOUT_MS, this);
    this.#cancelAttempts = () => connector.cancel();
    const backend = connector.start();
    if (backend !== null) return this.#joined(backend);
    this.#client.watch(this.#reactor);
    return this;
  }

  #awaitAddresses(tcp: TcpBackend): SessionHandle {
    this.#client.watch(this.#reactor);
    const cancelAsk = tcp.ask(() => {
      timer.cancel();
      this.#attempt(() => this.toTcp(tcp));
    });
    const timer = this.#reactor.after(CONNECT_TIMEOUT_MS, () => this.#end("backend-timeout"));
    this.#cancelAttempts = () => {
      cancelAsk();
      timer.cancel();
    };
    return this;
  }

  /** Ends the session: the backend cannot be reached, or is refused. */
  fail(reason: CloseReason): SessionHandle {
    return this.#endSoon(reason);
  }

  onConnected(backend: Descriptor): void {
    if (this.#settled) {
      backend.close();
      return;
    }
    this.#attempt(() => this.#joined(backend));
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      // No descriptor is left, for example.
      this.#reactor.report(error);
      this.#end("backend-error");
    }
  }

  onConnectError({ kind }: ConnectError): void {
    this.#tcp?.renew();
    this.#end(CLOSE_REASONS[kind]);
  }

  terminate(reason: TerminationReason): void {
    this.#end(reason);
  }

  #joined(backend: Descriptor): SessionHandle {
    const handle = this.#join(this.#client.take(), backend);
    if (typeof handle === "string") return this.#endSoon(handle);
    this.#settled = true;
    this.#session.attach(handle);
    return handle;
  }

  /** A session never ends before {@linkcode Service.open} has returned. */
  #endSoon(reason: CloseReason): SessionHandle {
    this.#reactor.after(0, () => this.#end(reason));
    return this;
  }

  #end(reason: CloseReason): void {
    if (this.#settled) return;
    this.#settled = true;
    try {
      this.#cancelAttempts();
      this.#client.close();
    } finally {
      this.#session.recordBytes({ in: 0, out: 0 });
      this.#session.end(reason);
    }
  }
}
