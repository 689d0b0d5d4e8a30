/**
 * The doors of a data plane: opened together, and changed with the configuration while others go on.
 *
 * @module
 */
import { listenerAddress } from "../net/listener_address.ts";
import type { ListenerConfig, ServiceConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { UnixEndpoint } from "../session/unix_endpoint.ts";
import type { DataPlaneContext } from "../session/data_plane_context.ts";
import { TcpEndpoint } from "../session/tcp_endpoint.ts";
import type { Service } from "../session/service.ts";
import { TcpListener } from "../net/tcp_listener.ts";
import { UnixListener } from "../net/unix_listener.ts";
import type { InheritedSocket } from "../libc/inherited_sockets.ts";

type Endpoint = UnixEndpoint | TcpEndpoint;

/** Who hears of doors. */
export interface ListenerEvents {
  /** The service behind a door. @throws {Failure} When this process cannot offer it. */
  serviceOf(service: ServiceConfig): Service;
  opened(name: string): void;
  closed(name: string): void;
  /** A door that the configuration asks for cannot be opened now. */
  failed(failure: Failure): void;
}

/**
 * The doors, by their addresses. What the configuration says of one is in force as a whole or not at all: a door
 * whose service cannot be offered serves nobody until it can, and never the service before it.
 */
export class ListenerManager {
  readonly #context: DataPlaneContext;
  readonly #host: ListenerEvents;
  readonly #owner: number;
  readonly #listeners = new Map<string, Endpoint>();
  /** Doors that are closed, and whose keys those who came through them still depend on. */
  #retired: TcpEndpoint[] = [];
  /**
   * Sockets that were opened for us. Their doors are shut and never closed before the end: whoever opened them keeps
   * them open, so that clients would wait for an answer, and nobody would open them for us again.
   */
  readonly #inherited: ReadonlyMap<string, InheritedSocket>;
  /** What could not be opened, and why; tried again at times. */
  readonly #missing = new Map<string, string>();
  #wanted: readonly ListenerConfig[] = [];

  /** @param inherited Sockets that were opened for us, with the duty to close them. */
  constructor(
    context: DataPlaneContext,
    inherited: readonly InheritedSocket[],
    host: ListenerEvents,
  ) {
    this.#context = context;
    this.#host = host;
    this.#owner = context.serverUid;
    this.#inherited = new Map(inherited.map((one) => [listenerAddress(one), one]));
  }

  /**
   * Opens all, or none.
   *
   * @throws {Failure} When one cannot be opened.
   */
  open(listeners: readonly ListenerConfig[]): void {
    this.#wanted = listeners;
    try {
      for (const config of listeners) this.#openOne(config);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Opens what is new, closes or shuts what is gone, and changes the services of the others. Sessions go on. */
  reconfigure(listeners: readonly ListenerConfig[]): void {
    this.#wanted = listeners;
    const wanted = new Map(listeners.map((config) => [listenerAddress(config), config]));
    for (const [address, door] of this.#listeners) {
      const config = wanted.get(address);
      if (this.#inherited.has(address)) {
        if (config === undefined) this.#shutOne(door);
      } else if (config === undefined || !isSameSocket(door.config, config)) {
        this.#closeOne(address, door);
      }
    }
    this.#missing.clear();
    this.retry();
  }

  /** Tries again what could not be opened before, and tells only what is new about it. */
  retry(): void {
    for (const config of this.#wanted) {
      const address = listenerAddress(config);
      const door = this.#listeners.get(address);
      try {
        if (door === undefined) this.#openOne(config);
        else this.#changeOne(door, config);
        this.#missing.delete(address);
      } catch (error) {
        if (door !== undefined) this.#shutOne(door);
        const failure = asFailure(address, error);
        if (this.#missing.get(address) === failure.message) continue;
        this.#missing.set(address, failure.message);
        this.#host.failed(failure);
      }
    }
  }

  /** Whether something that is asked for is not served. */
  get isIncomplete(): boolean {
    return this.#missing.size > 0;
  }

  /** The names of those that are open. */
  get names(): readonly string[] {
    return [...this.#listeners.values()].map(({ name }) => name);
  }

  /** Looks at the key files. */
  refreshKeys(): void {
    this.#forgetRetired();
    for (const door of [...this.#listeners.values(), ...this.#retired]) {
      if (door instanceof TcpEndpoint) door.refreshKeys();
    }
  }

  /** The keys of a door that is closed go with the last session that came through it. */
  #forgetRetired(): void {
    if (this.#retired.length === 0) return;
    const sessions = [...this.#context.sessions];
    this.#retired = this.#retired.filter((door) => {
      const isNeeded = sessions.some((session) => door.authenticated(session));
      if (!isNeeded) door.wipe();
      return isNeeded;
    });
  }

  /** Stops accepting everywhere. */
  close(): void {
    for (const [address, door] of this.#listeners) this.#closeOne(address, door);
  }

  /** Forgets the keys, once nobody's session depends on them. */
  wipe(): void {
    for (const door of this.#retired) door.wipe();
    this.#retired = [];
  }

  #openOne(config: ListenerConfig): void {
    const service = this.#host.serviceOf(config.service);
    const address = listenerAddress(config);
    const inherited = this.#inherited.get(address);
    const socket = inherited === undefined ? null : new Descriptor(inherited.descriptor);
    const door = config.kind === "unix"
      ? new UnixEndpoint(this.#context, UnixListener.open(config, this.#owner, socket), service)
      : new TcpEndpoint(this.#context, TcpListener.open(config, socket), service);
    this.#listeners.set(address, door);
    this.#host.opened(door.name);
  }

  #changeOne(door: Endpoint, config: ListenerConfig): void {
    const wasOpen = door.isAccepting;
    if (wasOpen && JSON.stringify(door.config.service) === JSON.stringify(config.service)) {
      door.reconfigure(config);
      return;
    }
    door.setService(config, this.#host.serviceOf(config.service));
    if (!wasOpen) this.#host.opened(door.name);
  }

  #shutOne(door: Endpoint): void {
    if (!door.isAccepting) return;
    door.suspend();
    this.#host.closed(door.name);
  }

  #closeOne(address: string, door: Endpoint): void {
    const wasOpen = door.isAccepting;
    this.#listeners.delete(address);
    door.close();
    if (door instanceof TcpEndpoint) this.#retired.push(door);
    if (wasOpen) this.#host.closed(door.name);
  }
}

/** Whether two configurations are of the same socket: its mode is given to it when it is made. */
function isSameSocket(one: ListenerConfig, other: ListenerConfig): boolean {
  return one.kind !== "unix" || other.kind !== "unix" || one.mode === other.mode;
}

/** Whatever is wrong with one listener keeps the others neither from opening nor from changing. */
function asFailure(address: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure(`Cannot serve ${address}: ${message}`, {
    exit: ExitCode.software,
    cause: error,
  });
}
