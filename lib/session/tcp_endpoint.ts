/**
 * The way of a connection on TCP: listener → access check → policy → service.
 *
 * @module
 */
import type { Channel } from "../protocol/channel.ts";
import type { ProtocolError } from "../protocol/protocol_error.ts";
import { ServerHandshake } from "../protocol/server_handshake.ts";
import type { ListenerConfig, TcpListenerConfig } from "../config/types.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { type HostPort, hostPortText, remoteAddress } from "../libc/inet_address.ts";
import type { Decision, DenyReason } from "../policy/types.ts";
import { Acceptor, type ConnectionHandler, drainAndClose } from "../net/acceptor.ts";
import {
  type AuthenticatedConnection,
  type HandshakeHandler,
  PendingHandshake,
} from "./pending_handshake.ts";
import { beginSession, serve } from "./start_session.ts";
import {
  type DataPlaneContext,
  LISTENER_SUSPENDED,
  RESOURCES_EXHAUSTED,
} from "./data_plane_context.ts";
import { KeyRing } from "../keys/key_ring.ts";
import type { Service } from "./service.ts";
import type { Session } from "./session_table.ts";
import type { TcpListener } from "../net/tcp_listener.ts";

/** One TCP listener and the service behind it. */
export class TcpEndpoint implements ConnectionHandler, HandshakeHandler {
  readonly #context: DataPlaneContext;
  /** Null while the door is shut: whoever shows a key is refused. */
  #service: Service | null;
  #config: TcpListenerConfig;
  readonly #acceptor: Acceptor;
  readonly #ring: KeyRing;
  readonly name: string;

  /**
   * Starts accepting.
   *
   * @throws {Failure} When one of the keys cannot be used. Once it runs, such a key opens nothing.
   */
  constructor(context: DataPlaneContext, listener: TcpListener, service: Service) {
    this.#context = context;
    this.#service = service;
    this.#config = listener.config;
    this.#ring = new KeyRing(context.liveConfig, listener.config, context.serverUid);
    this.name = listener.name;
    const [failure] = this.#ring.refresh();
    if (failure !== undefined) {
      listener.socket.close();
      throw failure;
    }
    this.#acceptor = new Acceptor(context.reactor, listener.socket, this);
  }

  /** What it was opened, or last changed, with. */
  get config(): TcpListenerConfig {
    return this.#config;
  }

  /** Whether anybody can be let in. */
  get isAccepting(): boolean {
    return this.#service !== null;
  }

  /** Takes what the configuration says now, but for the service. */
  reconfigure(config: ListenerConfig): void {
    if (config.kind !== "tcp") return;
    this.#config = config;
    this.#ring.reconfigure(config);
  }

  /** Gives those who come from now on to another service. */
  setService(config: ListenerConfig, service: Service): void {
    this.reconfigure(config);
    this.#service = service;
  }

  /** Refuses everybody from now on, until there is something to {@linkcode serve} again. */
  suspend(): void {
    this.#service = null;
  }

  /** Looks at the configuration and the key files. Once nobody can come in any more, it does so without a word. */
  refreshKeys(): void {
    this.#context.refreshConfig();
    const failures = this.#ring.refresh();
    if (this.isAccepting) failures.forEach((failure) => this.#context.reportConfigProblem(failure));
  }

  /** Whether a session depends on the keys of this door. */
  authenticated({ facts: { origin } }: Session): boolean {
    return origin.kind === "tcp" && origin.ring === this.#ring;
  }

  /** Nothing is decided about them yet. */
  beforeBatch(): void {}

  /** Someone has come, and has everything to prove. */
  onConnection(connection: Descriptor): void {
    let arrived = false;
    try {
      const remote = remoteAddress(connection);
      if (remote === null) {
        // It has reset the connection before it was looked at, and the kernel does not say any more who it was.
        this.refuse({ remote, keyId: null }, "bad-key", null, "truncated");
        return;
      }
      arrived = true;
      const handshake = new ServerHandshake((id) => this.#keyOf(id));
      new PendingHandshake(this.#context, this, connection, remote, handshake);
    } finally {
      if (!arrived) connection.close();
    }
  }

  onResourceExhausted(connection: Descriptor): void {
    const remote = remoteAddress(connection);
    drainAndClose(connection);
    this.refuse({ remote, keyId: null }, RESOURCES_EXHAUSTED.reason);
  }

  onError(error: unknown): void {
    this.#context.events.logError(error);
  }

  /** Someone holds a key. */
  admit(knock: AuthenticatedConnection): void {
    this.refreshKeys();
    const grant = this.#ring.grant(knock.keyId);
    // Read after the look at the configuration, which may have shut or closed this very door.
    const service = this.#service;
    const decision = service === null
      ? LISTENER_SUSPENDED
      : this.#context.authorizer.authorizeKeyed(grant, knock.actsAs, this.#config);
    if (service !== null && decision.allow) this.#welcome(service, knock, decision);
    else if (!decision.allow) {
      knock.reject(decision.reason);
      this.refuse(knock, decision.reason, grant?.user ?? null);
    }
  }

  /** Someone is refused, whose connection is closed already. */
  refuse(
    { remote, keyId }: { readonly remote: HostPort | null; readonly keyId: string | null },
    reason: DenyReason,
    user: string | null = null,
    detail?: ProtocolError,
  ): void {
    this.#context.events.logDeny({
      listener: this.name,
      peer: null,
      remote: remote === null ? undefined : hostPortText(remote),
      key: keyId ?? undefined,
      user,
      reason,
      message: detail === reason ? undefined : detail,
    });
  }

  /** Stops accepting. Those who are on their way through the access check come too late. */
  close(): void {
    this.suspend();
    this.#acceptor.close();
  }

  /** Forgets the keys, once nobody's session depends on them. */
  wipe(): void {
    this.#ring.wipe();
  }

  #keyOf(id: string): Uint8Array | null {
    this.refreshKeys();
    return this.#ring.key(id);
  }

  #welcome(
    service: Service,
    knock: AuthenticatedConnection,
    decision: Decision & { allow: true },
  ): void {
    const session = beginSession(this.#context, service, decision, {
      listener: this.name,
      config: this.#config,
      origin: {
        kind: "tcp",
        remote: knock.remote,
        keyId: knock.keyId,
        ring: this.#ring,
        actsAs: knock.actsAs,
      },
    });
    let opened: { descriptor: Descriptor; channel: Channel; unsent: Uint8Array | null };
    try {
      opened = knock.accept({ user: session.facts.user, service: service.name });
    } catch (error) {
      session.end("error");
      throw error;
    }
    const line = { ...opened, kind: "tcp" as const, received: knock.rest };
    serve(this.#context, service, session, line, decision);
  }
}
