/**
 * The endpoints of a data plane: opened together, and changed with the configuration while sessions
 * go on.
 *
 * @module
 */
import type { ListenerConfig, ServiceConfig } from "../config/types.ts";
import { asFailure, ExitCode, type Failure, guardEach } from "../errors.ts";
import type { ListeningSocket } from "../net/acceptor.ts";
import { leavesIpv4, listenerAddress } from "../net/address.ts";
import type { KeyGrant } from "../policy/types.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import type { ListenerStatus } from "../session/listener_status.ts";
import type { Service } from "../session/service.ts";
import type { Session } from "../session/session.ts";
import { TcpEndpoint } from "../session/tcp_endpoint.ts";
import { UnixEndpoint } from "../session/unix_endpoint.ts";
import { AwaitedError, type ListenerSockets } from "./listener_sockets.ts";

type Endpoint = UnixEndpoint | TcpEndpoint;

/** Finds the service of a configuration. @throws {Failure} When this process cannot offer it. */
type ServiceFactory = (service: ServiceConfig) => Service;

/** What a listener manager reports. */
export interface ListenerEvents {
  /** @param note What else was done for it, or null. */
  opened(name: string, note: string | null): void;
  closed(name: string): void;
  /** A configured listener cannot be opened or changed now. */
  failed(failure: Failure): void;
}

/**
 * The endpoints by their addresses. A listener's configuration is in force as a whole or not at
 * all: an endpoint whose service cannot be offered is suspended, and never serves the previous one.
 *
 * @example
 * ```ts
 * const listeners = new ListenerManager(context, sockets, serviceOf, events);
 * listeners.open(selection.current);
 * listeners.reconfigure(selection.current); // after a reload
 * ```
 */
export class ListenerManager {
  readonly #context: DataPlaneContext;
  readonly #serviceOf: ServiceFactory;
  readonly #events: ListenerEvents;
  readonly #endpoints = new Map<string, Endpoint>();
  /** Closed endpoints with keys that open sessions still rest on. */
  #retired: TcpEndpoint[] = [];
  readonly #sockets: ListenerSockets;
  /** Listeners that could not be opened, with the message; they are tried again. */
  readonly #missing = new Map<string, string>();
  #configured: readonly ListenerConfig[] = [];
  /** The addresses of sockets that leave IPv4 to another listener. */
  readonly #v6Only = new Set<string>();

  /** @param sockets Owned by the manager. Endpoints of kept ones are suspended, never closed. */
  constructor(
    context: DataPlaneContext,
    sockets: ListenerSockets,
    serviceOf: ServiceFactory,
    events: ListenerEvents,
  ) {
    this.#context = context;
    this.#serviceOf = serviceOf;
    this.#events = events;
    this.#sockets = sockets;
  }

  /**
   * Opens every listener, or none.
   *
   * @throws {Failure} When one cannot be opened.
   */
  open(listeners: readonly ListenerConfig[]): void {
    this.#configured = listeners;
    try {
      for (const config of listeners) this.#openOne(config);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Opens added listeners, closes or suspends removed ones, and changes the others. Sessions go on.
   */
  reconfigure(listeners: readonly ListenerConfig[]): void {
    this.#configured = listeners;
    const configured = new Map(listeners.map((config) => [listenerAddress(config), config]));
    this.#forEach(this.#endpoints, ([address, endpoint]) => {
      const config = configured.get(address);
      if (this.#sockets.isKept(address)) {
        if (config === undefined) this.#suspendOne(endpoint);
      } else if (config === undefined || !this.#isSameSocket(address, endpoint, config)) {
        this.#closeOne(address, endpoint);
      }
    });
    this.#missing.clear();
    this.retry();
  }

  /** Tries to open what could not be opened, and reports each new problem once. */
  retry(): void {
    for (const config of this.#configured) {
      const address = listenerAddress(config);
      const endpoint = this.#endpoints.get(address);
      try {
        if (endpoint === undefined) this.#openOne(config);
        else this.#changeOne(endpoint, config);
        this.#missing.delete(address);
      } catch (error) {
        if (endpoint !== undefined) this.#suspendOne(endpoint);
        // An error at one listener never keeps the others from opening or changing.
        const failure = asFailure(error, `Cannot serve ${address}`, ExitCode.software);
        if (this.#missing.get(address) === failure.message) continue;
        this.#missing.set(address, failure.message);
        if (error instanceof AwaitedError || failure.cause instanceof AwaitedError) continue;
        this.#events.failed(failure);
      }
    }
  }

  /** Opens listeners again whose socket file was removed. Their sessions go on. */
  restore(): void {
    this.#forEach(this.#endpoints, ([address, endpoint]) => {
      if (endpoint instanceof UnixEndpoint && endpoint.isRemoved) this.#closeOne(address, endpoint);
    });
    this.retry();
  }

  /** Closes an endpoint whose sockets are closed, or replaced; {@linkcode retry} opens it again. */
  closeSocket(address: string): void {
    const endpoint = this.#endpoints.get(address);
    if (endpoint !== undefined) this.#closeOne(address, endpoint);
  }

  /** Whether a configured listener is not open. */
  get isIncomplete(): boolean {
    return this.#missing.size > 0;
  }

  /**
   * Makes the keys of every endpoint current.
   *
   * @returns After how many milliseconds to do it again, because a key file is being written; else
   * 0.
   */
  refreshKeys(): number {
    this.#wipeRetired();
    let wait = 0;
    this.#forEach([...this.#endpoints.values(), ...this.#retired], (endpoint) => {
      if (endpoint instanceof TcpEndpoint) wait = Math.max(wait, endpoint.refreshKeys());
    });
    return wait;
  }

  /**
   * Makes the key current that a session rests on; nothing for a session on a Unix socket.
   *
   * @returns As {@linkcode refreshKeys}.
   */
  refreshKeysOf(session: Session): number {
    const { origin } = session.facts;
    if (origin.kind !== "tcp") return 0;
    for (const endpoint of [...this.#endpoints.values(), ...this.#retired]) {
      if (!(endpoint instanceof TcpEndpoint) || !endpoint.authenticated(session)) continue;
      return endpoint.refreshKey(origin.keyId);
    }
    return 0;
  }

  /** Every listener that is configured, or open, and whether it accepts connections. */
  get statuses(): ListenerStatus[] {
    const configured = new Map(this.#configured.map((one) => [listenerAddress(one), one]));
    const removed = [...this.#endpoints].filter(([address]) => !configured.has(address));
    const status = (address: string, config: ListenerConfig): ListenerStatus => {
      const endpoint = this.#endpoints.get(address);
      const state = endpoint === undefined
        ? "closed"
        : endpoint.isAccepting
        ? "listening"
        : "suspended";
      return { config, state, problem: this.#missing.get(address) ?? null };
    };
    return [
      ...[...configured].map(([address, config]) => status(address, config)),
      ...removed.map(([address, { config }]) => status(address, config)),
    ];
  }

  /** Stops accepting everywhere. */
  close(): void {
    this.#forEach(this.#endpoints, ([address, endpoint]) => this.#closeOne(address, endpoint));
    this.#sockets.close();
  }

  /** Wipes the keys of closed endpoints, once no session is open. */
  wipe(): void {
    for (const endpoint of this.#retired) endpoint.wipe();
    this.#retired = [];
  }

  /** Wipes the keys of closed endpoints that no session rests on. */
  #wipeRetired(): void {
    if (this.#retired.length === 0) return;
    const { sessions } = this.#context;
    this.#retired = this.#retired.filter((endpoint) => {
      const isNeeded = sessions.some((session) => endpoint.authenticated(session));
      if (!isNeeded) endpoint.wipe();
      return isNeeded;
    });
  }

  /** Runs an action on each item. An error at one of them is logged and stops no other. */
  #forEach<T>(items: Iterable<T>, action: (item: T) => void): void {
    guardEach([...items], action, (error) => this.#context.events.logError(error));
  }

  #openOne(config: ListenerConfig): void {
    const service = this.#serviceOf(config.service);
    const address = listenerAddress(config);
    const v6Only = leavesIpv4(config, this.#configured);
    let sockets: readonly ListeningSocket[];
    let endpoint: Endpoint;
    if (config.kind === "unix") {
      const listener = this.#sockets.unix(config);
      endpoint = new UnixEndpoint(this.#context, listener, config, service);
      sockets = [listener];
    } else {
      const listeners = this.#sockets.tcp(config, v6Only);
      endpoint = new TcpEndpoint(this.#context, listeners, config, service);
      sockets = listeners;
    }
    this.#endpoints.set(address, endpoint);
    if (v6Only) this.#v6Only.add(address);
    else this.#v6Only.delete(address);
    try {
      this.#sockets.opened(address, sockets);
    } catch (error) {
      // Open in one data plane alone it would stay so. It has accepted nothing yet.
      endpoint.suspend();
      this.#closeOne(address, endpoint);
      throw error;
    }
    const made = endpoint instanceof UnixEndpoint ? endpoint.madeDirectory : null;
    this.#events.opened(endpoint.name, made && `made the directory ${made}`);
  }

  #changeOne(endpoint: Endpoint, config: ListenerConfig): void {
    const wasAccepting = endpoint.isAccepting;
    if (
      wasAccepting && JSON.stringify(endpoint.config.service) === JSON.stringify(config.service)
    ) {
      endpoint.reconfigure(config);
      return;
    }
    endpoint.setService(config, this.#serviceOf(config.service));
    if (!wasAccepting) this.#events.opened(endpoint.name, null);
  }

  #suspendOne(endpoint: Endpoint): void {
    if (!endpoint.isAccepting) return;
    endpoint.suspend();
    this.#events.closed(endpoint.name);
  }

  #closeOne(address: string, endpoint: Endpoint): void {
    const wasAccepting = endpoint.isAccepting;
    this.#endpoints.delete(address);
    endpoint.close();
    this.#sockets.closed(address);
    if (endpoint instanceof TcpEndpoint) {
      endpoint.retire((id) => this.#grantOf(id));
      this.#retired.push(endpoint);
    }
    if (wasAccepting) this.#events.closed(endpoint.name);
  }

  /** What the open listeners say of a key. Where they differ, that of a user and not of all. */
  #grantOf(id: string): KeyGrant | null {
    const grants = [...this.#endpoints.values()]
      .flatMap((one) => one instanceof TcpEndpoint ? one.grant(id) ?? [] : []);
    return grants.find(({ user }) => user !== null) ?? grants[0] ?? null;
  }

  /**
   * Whether a configuration keeps the socket of an endpoint. The mode of a Unix socket, and which
   * families a TCP socket serves, are set when it is created.
   */
  #isSameSocket(address: string, { config: before }: Endpoint, config: ListenerConfig): boolean {
    if (before.kind === "unix" && config.kind === "unix") return before.mode === config.mode;
    return this.#v6Only.has(address) === leavesIpv4(config, this.#configured);
  }
}
