/**
 * The way of a connection on TCP: listener → access check → policy → service.
 *
 * @module
 */
import type { ListenerConfig, TcpListenerConfig } from "../config/types.ts";
import { type Failure, guardEach } from "../errors.ts";
import { KeyRing } from "../keys/key_ring.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { type HostPort, hostPortText, remoteAddress } from "../libc/inet_address.ts";
import { FIRST_ANSWER_MS } from "../names/known_names.ts";
import {
  acceptFromAll,
  type Acceptor,
  closeListeningSocket,
  type ConnectionHandler,
} from "../net/acceptor.ts";
import { resetAndClose } from "../net/drain_and_close.ts";
import { listenersName, type TcpListener } from "../net/tcp_listener.ts";
import type { DenyDecision, DenyReason, KeyGrant } from "../policy/types.ts";
import type { ProtocolError } from "../protocol/protocol_error.ts";
import { type KeyLookupResult, ServerHandshake } from "../protocol/server_handshake.ts";
import {
  type DataPlaneContext,
  LISTENER_SUSPENDED,
  RESOURCES_EXHAUSTED,
  UNREADABLE,
} from "./data_plane_context.ts";
import {
  type AuthenticatedConnection,
  type HandshakeHandler,
  type HandshakeResult,
  PendingHandshake,
} from "./pending_handshake.ts";
import type { Service } from "./service.ts";
import type { Session } from "./session.ts";
import { startSession } from "./start_session.ts";

/** How often a client that waits for an answer of the name service is decided, in milliseconds. */
const ANSWER_INTERVAL_MS = 5;

/** A TCP client, as far as it is known. */
interface TcpPeer {
  /** Null where the client reset the connection before its address was read. */
  readonly remote: HostPort | null;
  /** The id of the key that it holds or claims to hold. */
  readonly keyId: string | null;
  /** The trace id that it has sent. */
  readonly trace?: string | undefined;
}

/**
 * A TCP listener's configuration, its keys and the service behind it.
 *
 * @example
 * ```ts
 * const listeners = TcpListener.openAll(config);
 * const endpoint = new TcpEndpoint(context, listeners, config, service);
 * ```
 */
export class TcpEndpoint implements ConnectionHandler {
  readonly #context: DataPlaneContext;
  /** Null while the endpoint is suspended. */
  #service: Service | null;
  #config: TcpListenerConfig;
  readonly #acceptors: readonly Acceptor[];
  readonly #ring: KeyRing;
  /** When a connection was denied first, on the clock of `performance.now()`. */
  readonly #deniedAt = new WeakMap<AuthenticatedConnection, number>();
  readonly #handler: HandshakeHandler = {
    isUndecided: () => this.#context.liveConfig.isUnreadable || this.#ring.hasUnreadable,
    onResult: (result) => this.#onHandshake(result),
  };
  readonly name: string;

  /**
   * Starts to accept.
   *
   * @param listeners One for each address of the host; owned by the endpoint, also when this
   * throws.
   * @throws {SystemError} When no descriptor is left.
   * @throws {Failure} When one of the keys cannot be used. Later, such a key authenticates no
   * client.
   */
  constructor(
    context: DataPlaneContext,
    listeners: readonly TcpListener[],
    config: TcpListenerConfig,
    service: Service,
  ) {
    this.#context = context;
    this.#service = service;
    this.#config = config;
    this.name = listenersName(config, listeners);
    this.#ring = new KeyRing(context.liveConfig, config, context.serverUid);
    try {
      const failures = this.#ring.refresh();
      const fatal = failures.find((failure) => !this.#ring.isTolerated(failure));
      if (fatal !== undefined) throw fatal;
      this.#report(failures);
    } catch (error) {
      this.#ring.wipe();
      listeners.forEach(closeListeningSocket);
      throw error;
    }
    this.#acceptors = acceptFromAll(context.reactor, listeners, this, context.planes > 1);
  }

  /** The configuration in force. */
  get config(): TcpListenerConfig {
    return this.#config;
  }

  /**
   * Whether connections can be allowed. A suspended endpoint denies every authenticated connection.
   */
  get isAccepting(): boolean {
    return this.#service !== null;
  }

  /** Applies a changed configuration, without its service. */
  reconfigure(config: ListenerConfig): void {
    if (config.kind !== "tcp") return;
    this.#config = config;
    this.#ring.reconfigure(config);
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

  /**
   * Makes configuration and keys current. A suspended endpoint reports no problem with its keys.
   *
   * @returns After how many milliseconds it is to be called again before anything is decided,
   * because a file is being written; 0 where nothing is to be waited for.
   */
  refreshKeys(): number {
    const wait = this.#context.refreshConfig();
    this.#report(this.#ring.refresh());
    return Math.max(wait, this.#ring.wait);
  }

  /** The same for one key, where no other may have changed its meaning. */
  refreshKey(id: string): number {
    const wait = this.#context.refreshConfig();
    this.#report(this.#ring.refreshKey(id));
    return Math.max(wait, this.#ring.wait);
  }

  /** The same for what can be decided about a client that claims the key of an id. */
  #refreshClaimed(id: string): number {
    const wait = this.#context.refreshConfig();
    this.#report(this.#ring.refreshClaimed(id));
    return Math.max(wait, this.#ring.wait);
  }

  /** What this listener says of the key of an id; null where it does not name it. */
  grant(id: string): KeyGrant | null {
    return this.#ring.grant(id);
  }

  /** As {@linkcode KeyRing.retire}, for a closed endpoint. */
  retire(elsewhere: (id: string) => KeyGrant | null): void {
    this.#ring.retire(elsewhere);
  }

  /** Whether a session rests on a key of this endpoint. */
  authenticated({ facts: { origin } }: Session): boolean {
    return origin.kind === "tcp" && origin.ring === this.#ring;
  }

  /** Nothing is decided before the access check. */
  beforeBatch(): number {
    return 0;
  }

  /** Starts the access check of a connection. */
  onConnection(connection: Descriptor): void {
    let owned = true;
    try {
      const remote = remoteAddress(connection);
      if (remote === null) {
        // The client has reset the connection, and the kernel no longer knows its address.
        this.#logDeny({ remote, keyId: null }, "bad-key", null, "truncated");
        return;
      }
      owned = false;
      const handshake = new ServerHandshake((id) => this.#keyOf(id));
      new PendingHandshake(this.#context, connection, remote, handshake, this.#handler);
    } finally {
      if (owned) connection.close();
    }
  }

  onResourceExhausted(connection: Descriptor): void {
    let remote: HostPort | null;
    try {
      remote = remoteAddress(connection);
    } finally {
      resetAndClose(connection);
    }
    this.#logDeny({ remote, keyId: null }, RESOURCES_EXHAUSTED.reason);
  }

  onError(error: unknown): void {
    this.#context.events.logError(error);
  }

  /** Stops accepting. Handshakes in progress find the endpoint suspended. */
  close(): void {
    this.suspend();
    guardEach(this.#acceptors, (one) => one.close(), (error) => this.onError(error));
  }

  /** Wipes the keys, once no session rests on them. */
  wipe(): void {
    this.#ring.wipe();
  }

  #report(failures: readonly Failure[]): void {
    if (!this.isAccepting) return;
    failures.forEach((failure) => this.#context.reportConfigProblem(failure));
  }

  #keyOf(id: string): KeyLookupResult {
    const wait = this.#refreshClaimed(id);
    if (wait > 0) return { wait };
    return this.#isUnreadable(id) ? null : this.#ring.key(id);
  }

  /** Whether what is decided about the holder of a key could rest on an older file. */
  #isUnreadable(id: string): boolean {
    return this.#context.liveConfig.isUnreadable || this.#ring.isUnreadable(id);
  }

  /** @returns After how many milliseconds the result is to be reported again; 0 for never. */
  #onHandshake(result: HandshakeResult): number {
    if (result.kind === "authenticated") return this.#authorize(result.connection);
    const { keyId, error } = result;
    const isUnread = error === "bad-key" && keyId !== null && this.#isUnreadable(keyId);
    if (isUnread) this.#logDeny(result, UNREADABLE.reason);
    else this.#logDeny(result, result.reason, null, error);
    return 0;
  }

  /**
   * Authorizes an authenticated connection: hands it to the service, or rejects and logs it.
   *
   * @returns After how many milliseconds this is to be called again, because nothing could be
   * decided; else 0.
   */
  #authorize(connection: AuthenticatedConnection): number {
    const wait = this.#refreshClaimed(connection.keyId);
    // A suspended endpoint, such as one that is closed, decides nothing by the files.
    if (wait > 0 && this.isAccepting) return wait;
    return this.#answer(connection);
  }

  /** @returns As {@linkcode #authorize}. */
  #answer(connection: AuthenticatedConnection): number {
    const { remote, keyId, actsAs, trace } = connection;
    const grant = this.#ring.grant(keyId);
    if (this.#isUnreadable(keyId)) {
      this.#reject(connection, grant, UNREADABLE);
      return 0;
    }
    // Read after the configuration was refreshed, which may have suspended this endpoint.
    const service = this.#service;
    if (service === null) {
      this.#reject(connection, grant, LISTENER_SUSPENDED);
      return 0;
    }
    const decision = this.#context.authorizer.authorizeKeyed(grant, actsAs, this.#config);
    if (!decision.allow) {
      // Denied for a group or an account that may be known in a moment.
      if (decision.detail !== undefined && this.#isAnswerAwaited(connection, grant)) {
        return ANSWER_INTERVAL_MS;
      }
      this.#reject(connection, grant, decision);
      return 0;
    }
    startSession(this.#context, {
      listener: this.name,
      config: this.#config,
      origin: { kind: "tcp", remote, keyId, ring: this.#ring, actsAs, trace },
      decision,
      service,
      connect: (user) => connection.accept({ user, service: service.name }),
    });
    return 0;
  }

  /**
   * Whether the answer that a denied connection lacks is on its way: one that the configuration
   * needs, or the groups of its user, which it has asked for itself.
   */
  #isAnswerAwaited(connection: AuthenticatedConnection, grant: KeyGrant | null): boolean {
    const { names, liveConfig } = this.#context;
    const name = grant?.user ?? connection.actsAs ?? "";
    const uid = liveConfig.config.access.usersByName.get(name)?.uid;
    const now = performance.now();
    const since = this.#deniedAt.get(connection) ?? now;
    this.#deniedAt.set(connection, since);
    if (names.isAwaited) return true;
    const pendingMs = uid === undefined ? 0 : names.pendingFor(uid);
    // One that was asked for later follows an answer that has said nothing.
    return pendingMs > 0 && pendingMs >= now - since && pendingMs < FIRST_ANSWER_MS;
  }

  #reject(
    connection: AuthenticatedConnection,
    grant: KeyGrant | null,
    { reason, detail }: DenyDecision,
  ): void {
    connection.reject(reason);
    this.#logDeny(connection, reason, grant?.user ?? null, detail);
  }

  #logDeny(
    { remote, keyId, trace }: TcpPeer,
    reason: DenyReason,
    user: string | null = null,
    detail?: ProtocolError | string | null,
  ): void {
    this.#context.events.logDeny({
      listener: this.name,
      peer: null,
      remote: remote === null ? undefined : hostPortText(remote),
      key: keyId ?? undefined,
      user,
      trace,
      reason,
      message: detail === null || detail === reason ? undefined : detail,
    });
  }
}
