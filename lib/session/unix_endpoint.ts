/**
 * The way of a connection on a Unix socket: listener → credentials → policy → service.
 *
 * @module
 */
import type { ListenerConfig, UnixListenerConfig } from "../config/types.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import type { Decision, PeerCredentials, UnixPeer } from "../policy/types.ts";
import { Acceptor, type ConnectionHandler, drainAndClose } from "../net/acceptor.ts";
import { handOver } from "./start_session.ts";
import {
  type DataPlaneContext,
  LISTENER_SUSPENDED,
  RESOURCES_EXHAUSTED,
} from "./data_plane_context.ts";
import { readPeer } from "./peer.ts";
import { plaintextConnection, type Service } from "./service.ts";
import type { UnixListener } from "../net/unix_listener.ts";

/** One Unix listener and the service behind it. */
export class UnixEndpoint implements ConnectionHandler {
  readonly #context: DataPlaneContext;
  readonly #listener: UnixListener;
  /** Null while the door is shut: whoever comes is refused. */
  #service: Service | null;
  #config: UnixListenerConfig;
  readonly #acceptor: Acceptor;
  readonly name: string;

  /** Starts accepting. */
  constructor(context: DataPlaneContext, listener: UnixListener, service: Service) {
    this.#context = context;
    this.#listener = listener;
    this.#service = service;
    this.#config = listener.config;
    this.name = listener.name;
    this.#acceptor = new Acceptor(context.reactor, listener.socket, this);
  }

  /** What it was opened, or last changed, with. */
  get config(): UnixListenerConfig {
    return this.#config;
  }

  /** Whether anybody can be let in. */
  get isAccepting(): boolean {
    return this.#service !== null;
  }

  /** Takes what the configuration says now, but for the service. */
  reconfigure(config: ListenerConfig): void {
    if (config.kind === "unix") this.#config = config;
  }

  /** Gives those who come from now on to another service. */
  setService(config: ListenerConfig, service: Service): void {
    this.reconfigure(config);
    this.#service = service;
  }

  /** Refuses everybody from now on, until there is something to {@linkcode setService} again. */
  suspend(): void {
    this.#service = null;
  }

  beforeBatch(): void {
    this.#context.refreshConfig();
  }

  onConnection(connection: Descriptor): void {
    const { authorizer } = this.#context;
    let handedOver = false;
    try {
      const peer = readPeer(connection);
      // Read after the look at the configuration, which may have shut or closed this very door.
      const service = this.#service;
      const decision = service === null
        ? LISTENER_SUSPENDED
        : authorizer.authorize(peer, this.#config);
      if (service !== null && decision.allow && peer.credentials !== null) {
        handedOver = true;
        this.#admit(service, connection, peer, peer.credentials, decision);
      } else if (!decision.allow) this.#deny(connection, peer, decision);
    } finally {
      // Whoever was not handed over is turned away: denied, or an error on the way to the decision.
      if (!handedOver) drainAndClose(connection);
    }
  }

  onResourceExhausted(connection: Descriptor): void {
    const peer = readPeer(connection);
    drainAndClose(connection);
    this.#deny(null, peer, RESOURCES_EXHAUSTED);
  }

  onError(error: unknown): void {
    this.#context.events.logError(error);
  }

  /** Stops accepting, and takes the socket's name away first so that nobody new comes to wait. */
  close(): void {
    this.suspend();
    this.#listener.unlink();
    this.#acceptor.close();
    this.#listener.release();
  }

  #admit(
    service: Service,
    connection: Descriptor,
    peer: UnixPeer,
    credentials: PeerCredentials,
    decision: Decision & { allow: true },
  ): void {
    handOver(this.#context, service, plaintextConnection(connection), decision, {
      listener: this.name,
      config: this.#config,
      origin: { kind: "unix", peer, credentials },
    });
  }

  #deny(
    connection: Descriptor | null,
    peer: UnixPeer,
    decision: Decision & { allow: false },
  ): void {
    const { credentials } = peer;
    const exe = connection && credentials &&
      this.#context.executables.of(connection, credentials);
    this.#context.events.logDeny({
      listener: this.name,
      peer: credentials && { ...credentials, exe },
      user: this.#userOf(credentials),
      reason: decision.reason,
    });
  }

  /** The configured name of a peer that is refused. */
  #userOf(credentials: PeerCredentials | null): string | null {
    if (credentials === null) return null;
    return this.#context.liveConfig.config.access.usersByUid.get(credentials.uid)?.name ?? null;
  }
}
