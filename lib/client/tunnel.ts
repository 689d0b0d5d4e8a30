/**
 * `connect --listen`: a local socket, every connection of which goes through the access check of a server.
 * It runs in a thread of its own, as its loop knows nothing of signals.
 *
 * @module
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { ClientHandshake } from "../protocol/client_handshake.ts";
import { WatchedKey } from "../keys/watched_key.ts";
import type { HostPort } from "../config/addresses.ts";
import type { Target } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { EventFd } from "../libc/event_fd.ts";
import { hostPortText } from "../libc/inet_address.ts";
import { separateUmask } from "../libc/umask.ts";
import { EPOLLIN, Reactor, type Watcher } from "../reactor/reactor.ts";
import { RelayBuffers } from "../net/relay_buffers.ts";
import { Acceptor, type ConnectionHandler } from "../net/acceptor.ts";
import { TcpListener } from "../net/tcp_listener.ts";
import { UnixListener } from "../net/unix_listener.ts";
import { addressesOf } from "./connect_tcp.ts";
import { TunnelConnection, type TunnelConnectionOptions } from "./tunnel_connection.ts";

/** What a tunnel is to do. */
export interface TunnelOptions {
  readonly kind: "tunnel";
  /** The local socket. */
  readonly listen: Target;
  readonly server: HostPort;
  /** The key file. */
  readonly key: string;
  /** Whom to act as, or null. */
  readonly user: string | null;
  /** What the client calls itself. */
  readonly client: string;
  readonly ownUid: number;
  /** An eventfd, now the tunnel's: it is raised after every message on the port. */
  readonly wake: number;
}

/** What a tunnel has to say. */
export type TunnelEvent =
  | { readonly kind: "up" }
  | { readonly kind: "listening"; readonly where: string }
  | {
    readonly kind: "failed" | "warning";
    readonly message: string;
    readonly exit: number;
    readonly hint: string | undefined;
  }
  | { readonly kind: "stopped" };

/**
 * Serves until it hears anything on its port. Blocks the thread.
 *
 * @param tell Where news go.
 */
export function runTunnel(
  orders: TunnelOptions,
  port: MessagePort,
  tell: (news: TunnelEvent) => void,
): void {
  try {
    separateUmask();
    new Tunnel(orders, port, tell).run();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    tell({ kind: "failed", message: error.message, exit: error.exit, hint: error.hint });
  }
}

class Tunnel implements ConnectionHandler, Watcher {
  readonly #port: MessagePort;
  readonly #tell: (news: TunnelEvent) => void;
  readonly #eventFd: EventFd;
  readonly #reactor = new Reactor();
  readonly #passages = new Set<TunnelConnection>();
  readonly #options: TunnelConnectionOptions;
  readonly #kind: "unix" | "tcp";
  readonly #acceptor: Acceptor;
  readonly #listener: UnixListener | TcpListener;

  constructor(orders: TunnelOptions, port: MessagePort, tell: (news: TunnelEvent) => void) {
    this.#port = port;
    this.#tell = tell;
    this.#eventFd = new EventFd(new Descriptor(orders.wake));
    const key = new WatchedKey(orders.key, orders.ownUid);
    const failure = key.refresh();
    if (failure !== null) throw failure;
    this.#options = {
      reactor: this.#reactor,
      buffers: new RelayBuffers(),
      where: hostPortText(orders.server),
      addresses: addressesOf(orders.server),
      handshake: () => {
        const failure = key.refresh();
        if (key.key === null) throw failure ?? noKey(orders.key);
        return new ClientHandshake(key.key, { client: orders.client, user: orders.user });
      },
      complain: ({ message, exit, hint }) => tell({ kind: "warning", message, exit, hint }),
      over: (passage) => void this.#passages.delete(passage),
    };
    this.#kind = orders.listen.kind;
    this.#listener = open(orders.listen, orders.ownUid);
    this.#acceptor = new Acceptor(this.#reactor, this.#listener.socket, this);
    tell({ kind: "listening", where: this.#listener.name });
  }

  run(): void {
    this.#reactor.watch(this.#eventFd.descriptor, EPOLLIN, this);
    this.#reactor.run();
    this.#tell({ kind: "stopped" });
  }

  /** The server decides, and nothing is looked at here. */
  beforeBatch(): void {}

  onConnection(connection: Descriptor): void {
    const passage = new TunnelConnection(this.#options, connection, this.#kind);
    this.#passages.add(passage);
    passage.begin();
  }

  onResourceExhausted(connection: Descriptor): void {
    connection.close();
  }

  onError(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#tell({ kind: "warning", message, exit: ExitCode.os, hint: undefined });
  }

  /** The word to stop. */
  onEvents(): void {
    this.#eventFd.clear();
    if (receiveMessageOnPort(this.#port) === undefined) return;
    if (this.#listener instanceof UnixListener) this.#listener.unlink();
    this.#acceptor.close();
    if (this.#listener instanceof UnixListener) this.#listener.release();
    for (const passage of [...this.#passages]) passage.abort();
    this.#reactor.stop();
  }

  onFault(error: unknown): void {
    this.onError(error);
  }
}

function open(target: Target, ownUid: number): UnixListener | TcpListener {
  const at = { line: 1, column: 1 };
  const service = { kind: "console" } as const;
  return target.kind === "unix"
    // The tunnel passes on what its owner may do, so it is for the owner alone.
    ? UnixListener.open({ ...target, mode: 0o600, allow: null, service, at }, ownUid)
    : TcpListener.open({ ...target, keys: [], allow: null, service, at });
}

function noKey(path: string): Failure {
  return new Failure(`There is no usable key in ${path}`, {
    exit: ExitCode.config,
    hint: `ipcauth gen-key --show ${path}`,
  });
}
