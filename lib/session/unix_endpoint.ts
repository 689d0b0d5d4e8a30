/**
 * The way of a connection on a Unix socket: listener → credentials → policy → service.
 *
 * @module
 */
import type { ListenerConfig, UnixListenerConfig } from "../config/types.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { Acceptor, type ConnectionHandler } from "../net/acceptor.ts";
import { drainAndClose } from "../net/drain_and_close.ts";
import type { UnixListener } from "../net/unix_listener.ts";
import type { DenyDecision, Identity, PeerCredentials, UnixPeer } from "../policy/types.ts";
import {
  type DataPlaneContext,
  LISTENER_SUSPENDED,
  RESOURCES_EXHAUSTED,
  UNREADABLE,
} from "./data_plane_context.ts";
import { readPeer, UNKNOWN } from "./peer.ts";
import { plaintextConnection, type Service } from "./service.ts";
import { startSession } from "./start_session.ts";

/** How often a connection that waits for the name service is decided, in milliseconds. */
const ANSWER_INTERVAL_MS = 5;
/** How long a connection waits for the name of its user, in milliseconds. */
const NAME_TIMEOUT_MS = 1_000;

/**
 * A Unix listener's configuration and the service behind it.
 *
 * @example
 * ```ts
 * const listener = UnixListener.open(config, context.serverUid);
 * const endpoint = new UnixEndpoint(context, listener, config, service);
 * ```
 */
export class UnixEndpoint implements ConnectionHandler {
  readonly #context: DataPlaneContext;
  /** Null while the endpoint is suspended. */
  #service: Service | null;
  #config: UnixListenerConfig;
  readonly #acceptor: Acceptor;
  readonly #listener: UnixListener;
  /** How many connections wait for the name of their user. */
  #waiting = 0;
  readonly name: string;

  /**
   * Starts to accept.
   *
   * @param listener Owned by the endpoint, also when this throws.
   * @throws {SystemError} When no descriptor is left.
   */
  constructor(
    context: DataPlaneContext,
    listener: UnixListener,
    config: UnixListenerConfig,
    service: Service,
  ) {
    this.#context = context;
    this.#config = config;
    this.#service = service;
    this.name = listener.name;
    this.#listener = listener;
    this.#acceptor = new Acceptor(context.reactor, listener, this, context.planes > 1);
  }

  /** The directory that was made for the socket, or null. */
  get madeDirectory(): string | null {
    return this.#listener.madeDirectory;
  }

  /** The configuration in force. */
  get config(): UnixListenerConfig {
    return this.#config;
  }

  /** Whether connections can be allowed. A suspended endpoint denies every connection. */
  get isAccepting(): boolean {
    return this.#service !== null;
  }

  /** Whether its socket file was removed, so that no client can connect any more. */
  get isRemoved(): boolean {
    return this.#listener.isRemoved;
  }

  /** Applies a changed configuration, without its service. */
  reconfigure(config: ListenerConfig): void {
    if (config.kind === "unix") this.#config = config;
  }

  /** Hands new connections to another service. */
  setService(config: ListenerConfig, service: Service): void {
    this.reconfigure(config);
    this.#service = service;
  }

  /** Denies every new connection until {@linkcode setService} is called. */
  suspend(): void {
    this.#service = null;
  }

  /** Makes the configuration current. This may suspend or close the endpoint. */
  beforeBatch(): number {
    return this.#context.refreshConfig();
  }

  /** Authorizes a connection: hands it to the service, or closes it and logs the denial. */
  onConnection(connection: Descriptor): void {
    this.#authorize(connection, false);
  }

  /** @param waited Whether the connection has waited for the name of its user. */
  #authorize(connection: Descriptor, waited: boolean): void {
    let handedOver = false;
    try {
      const peer = readPeer(connection);
      if (this.#context.liveConfig.isUnreadable) {
        this.#logDeny(connection, peer, UNREADABLE);
        return;
      }
      // Read after the configuration was refreshed, which may have suspended this endpoint.
      const service = this.#service;
      if (service === null) {
        this.#logDeny(connection, peer, LISTENER_SUSPENDED);
        return;
      }
      const decision = this.#context.authorizer.authorizeUnix(peer, this.#config);
      if (!decision.allow) {
        handedOver = decision.detail !== undefined && this.#awaitAnswer(connection);
        if (!handedOver) this.#logDeny(connection, peer, decision);
        return;
      }
      if (!waited && this.#mayAwaitName(decision.identity)) {
        // It waits without a place, and is decided again.
        this.#context.admissions.giveBack(decision.identity.uid);
        this.#awaitName(connection, decision.identity.uid);
        handedOver = true;
        return;
      }
      startSession(this.#context, {
        listener: this.name,
        config: this.#config,
        origin: { kind: "unix", credentials: decision.credentials, groups: peer.groups },
        decision,
        service,
        connect: () => {
          handedOver = true;
          return plaintextConnection(connection);
        },
      });
    } finally {
      // Denied, or an error on the way to the decision, which is a denial as well.
      if (!handedOver) drainAndClose(connection);
    }
  }

  /**
   * Lets a connection wait that is denied for a group whose gid may be known in a moment, such as
   * one that the file has just named.
   *
   * @returns Whether it waits.
   */
  #awaitAnswer(connection: Descriptor): boolean {
    const { reactor, names } = this.#context;
    if (this.#isFull || !names.isAwaited) return false;
    this.#waiting++;
    reactor.after(ANSWER_INTERVAL_MS, () => this.#decideAgain(connection, false));
    return true;
  }

  /** Decides about a connection that has waited, by the file as it is now. */
  #decideAgain(connection: Descriptor, waited: boolean): void {
    const { reactor, refreshConfig } = this.#context;
    let owned = true;
    try {
      const wait = refreshConfig();
      if (wait > 0) {
        reactor.after(wait, () => this.#decideAgain(connection, waited));
        return;
      }
      this.#waiting--;
      owned = false;
      this.#authorize(connection, waited);
    } catch (error) {
      if (owned) {
        // Without a current configuration no decision is possible.
        this.#waiting--;
        drainAndClose(connection);
      }
      this.onError(error);
    }
  }

  /** Whether no more connections may wait. The planes have the same part of what the limit is. */
  get #isFull(): boolean {
    const { liveConfig, planes } = this.#context;
    return this.#waiting >= Math.ceil(liveConfig.config.limits.maxConnections / planes);
  }

  /** Whether a connection is to wait for the name of a group's member. */
  #mayAwaitName(identity: Identity): boolean {
    const { names, unnamedUid } = this.#context;
    const uid = unnamedUid(identity);
    if (uid === null || this.#isFull) return false;
    // A name service that hangs delays one connection of a user, and not each.
    return names.pendingFor(uid) < NAME_TIMEOUT_MS;
  }

  /**
   * Asks the name service for the name of a group's member. The connection is authorized again when
   * the name is known, or with the uid in digits when that takes too long.
   */
  #awaitName(connection: Descriptor, uid: number): void {
    const { reactor, names } = this.#context;
    let isOver = false;
    const goOn = (): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      cancel();
      this.#decideAgain(connection, true);
    };
    const cancel = names.ask(uid, goOn);
    const timer = reactor.after(NAME_TIMEOUT_MS, goOn);
    this.#waiting++;
  }

  onResourceExhausted(connection: Descriptor): void {
    let peer: UnixPeer;
    try {
      peer = readPeer(connection);
    } finally {
      drainAndClose(connection);
    }
    this.#logDeny(null, peer, RESOURCES_EXHAUSTED);
  }

  onError(error: unknown): void {
    this.#context.events.logError(error);
  }

  /** Stops accepting. */
  close(): void {
    this.suspend();
    this.#acceptor.close();
  }

  /** @param connection For the peer's program; null where the connection is closed already. */
  #logDeny(connection: Descriptor | null, { credentials }: UnixPeer, decision: DenyDecision): void {
    const program = connection && credentials
      ? this.#context.executables.of(connection, credentials)
      : UNKNOWN;
    this.#context.events.logDeny({
      listener: this.name,
      peer: credentials && { ...credentials, ...program },
      user: this.#configuredName(credentials),
      reason: decision.reason,
      message: decision.detail,
    });
  }

  #configuredName(credentials: PeerCredentials | null): string | null {
    if (credentials === null) return null;
    const { usersByUid } = this.#context.liveConfig.config.access;
    return usersByUid.get(credentials.uid)?.name ?? null;
  }
}
