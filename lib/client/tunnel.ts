/**
 * `connect --listen`: a local socket, every connection of which passes the access check of a
 * server. It runs in a thread of its own, because its reactor does not handle signals.
 *
 * @module
 */
import type { HostPort, Target } from "../net/address.ts";
import { asFailure, ExitCode, Failure, guardEach, messageOf } from "../errors.ts";
import { WatchedKey } from "../keys/watched_key.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { hostPortText, type SocketAddress } from "../libc/inet_address.ts";
import { reapOrphans } from "../libc/spawn.ts";
import { separateUmask } from "../libc/umask.ts";
import {
  acceptFromAll,
  type Acceptor,
  type ConnectionHandler,
  type ListeningSocket,
} from "../net/acceptor.ts";
import { RelayBuffers } from "../net/relay_buffers.ts";
import { listenersName, TcpListener } from "../net/tcp_listener.ts";
import { UnixListener } from "../net/unix_listener.ts";
import { ClientHandshake } from "../protocol/client_handshake.ts";
import { withTraceId } from "../protocol/trace_id.ts";
import type { AuditFormat } from "../log/line_formatter.ts";
import { Reactor } from "../reactor/reactor.ts";
import { type CommandHandler, runWorker, type WorkerInbox } from "../reactor/worker_inbox.ts";
import { TunnelConnection, type TunnelConnectionOptions } from "./tunnel_connection.ts";
import { failureText, TunnelLog, type TunnelSubject } from "./tunnel_log.ts";
import { shellWord } from "../text/shell_word.ts";

/** What a tunnel is started with. */
export interface TunnelOptions {
  /** The local socket. */
  readonly listen: Target;
  readonly server: HostPort;
  /** Its addresses, at least one. */
  readonly addresses: readonly SocketAddress[];
  /** The path of the key file. */
  readonly key: string;
  /** The user to act as, or null. */
  readonly user: string | null;
  /** The client's name and version, for the server's log. */
  readonly client: string;
  /** The effective uid of this process. */
  readonly ownUid: number;
  /** How connections are logged; null where only messages for a person are written. */
  readonly log: AuditFormat | null;
}

/** What a tunnel reports. */
export type TunnelEvent =
  | { readonly kind: "listening"; readonly where: string }
  /** `failed`: the tunnel cannot start. `warning`: a connection failed. */
  | {
    readonly kind: "failed" | "warning";
    /** The lines of the message. */
    readonly lines: readonly string[];
    readonly exit: number;
    readonly hint: string | undefined;
  }
  /** The server could not be reached: its addresses may be others by now. */
  | { readonly kind: "unreachable" }
  /** Lines of the log. */
  | { readonly kind: "log"; readonly lines: string }
  | { readonly kind: "stopped" };

/** Commands to a tunnel. */
export type TunnelCommand =
  | { readonly kind: "stop" }
  /** The addresses of the server from now on. */
  | { readonly kind: "addresses"; readonly addresses: readonly SocketAddress[] };

/** How often process 1 reaps what others have left, in milliseconds; a server does it as often. */
const REAP_INTERVAL_MS = 500;

/** The tunnel's thread: waits for its options, then serves until it is told to stop. */
export function runTunnelWorker(): void {
  runWorker<TunnelOptions, TunnelCommand, TunnelEvent>((options, inbox, post) => {
    try {
      separateUmask();
      new Tunnel(options, inbox, post).run();
    } catch (error) {
      // Nothing is thrown: the runtime would print a stack trace.
      const { lines, exit, hint } = asFailure(error, "an internal error", ExitCode.software);
      post({ kind: "failed", lines, exit, hint });
    }
  });
}

class Tunnel implements ConnectionHandler, CommandHandler<TunnelCommand> {
  readonly #inbox: WorkerInbox<TunnelCommand>;
  readonly #post: (event: TunnelEvent) => void;
  readonly #reactor = new Reactor((error) => this.onError(error));
  readonly #connections = new Set<TunnelConnection>();
  readonly #options: TunnelConnectionOptions;
  #addresses: readonly SocketAddress[];
  readonly #kind: "unix" | "tcp";
  readonly #acceptors: readonly Acceptor[];
  readonly #log: TunnelLog;
  /** The number of the last connection. */
  #lastSession = 0;

  constructor(
    options: TunnelOptions,
    inbox: WorkerInbox<TunnelCommand>,
    post: (event: TunnelEvent) => void,
  ) {
    this.#inbox = inbox;
    this.#post = post;
    this.#addresses = options.addresses;
    const key = new WatchedKey(options.key, options.ownUid);
    const failure = key.refresh();
    if (failure !== null) throw failure;
    const log = new TunnelLog(this.#reactor, options.log, (lines) => post({ kind: "log", lines }));
    this.#log = log;
    const { listeners, name } = openListeners(options.listen, options.ownUid);
    const server = hostPortText(options.server);
    this.#options = {
      reactor: this.#reactor,
      buffers: new RelayBuffers(),
      where: server,
      addresses: () => this.#addresses,
      unreachable: () => post({ kind: "unreachable" }),
      handshake: (trace) => {
        const failure = key.refresh();
        if (key.key === null) throw failure ?? noKey(options.key);
        const client = withTraceId(options.client, trace);
        return new ClientHandshake(key.key, { client, user: options.user });
      },
      log,
      subject: () => ({
        listener: name,
        session: ++this.#lastSession,
        key: key.id ?? undefined,
        server,
      }),
      warn: (failure, subject) => this.#warn(failure, subject),
      closed: (connection) => void this.#connections.delete(connection),
    };
    this.#kind = options.listen.kind;
    this.#acceptors = acceptFromAll(this.#reactor, listeners, this);
    if (!log.isJson) post({ kind: "listening", where: name });
    else log.add({ event: "listen", listener: name, server });
    log.flush();
  }

  /** Serves until it is told to stop. Blocks the thread. */
  run(): void {
    this.#inbox.watch(this.#reactor, this);
    // As process 1 of a container it inherits the children of others; otherwise it has none.
    if (Deno.pid === 1) this.#reapRegularly();
    this.#reactor.run();
    if (this.#log.isJson) this.#log.add({ event: "stop" });
    this.#log.flush();
    this.#post({ kind: "stopped" });
  }

  /** The server decides about every connection. */
  beforeBatch(): number {
    return 0;
  }

  onConnection(local: Descriptor): void {
    const connection = new TunnelConnection(this.#options, local, this.#kind);
    this.#connections.add(connection);
    connection.start();
  }

  onResourceExhausted(local: Descriptor): void {
    local.close();
  }

  onError(error: unknown): void {
    this.#warn({ lines: [messageOf(error)], exit: ExitCode.os, hint: undefined });
  }

  onCommand(command: TunnelCommand): void {
    if (command.kind === "addresses") this.#addresses = command.addresses;
    else this.#stop();
  }

  /** Reports what is wrong with one connection, or with none in particular. */
  #warn(
    { lines, exit, hint }: Pick<Failure, "lines" | "exit" | "hint">,
    subject: TunnelSubject = {},
  ): void {
    if (!this.#log.isJson) this.#post({ kind: "warning", lines, exit, hint });
    else this.#log.add({ ...subject, event: "error", message: failureText({ lines, hint }) });
  }

  #reapRegularly(): void {
    this.#reactor.after(REAP_INTERVAL_MS, () => this.#reapRegularly());
    reapOrphans(() => false);
  }

  /** Removes the socket file, closes every connection. */
  #stop(): void {
    const report = (error: unknown) => this.onError(error);
    guardEach(this.#acceptors, (one) => one.close(), report);
    guardEach([...this.#connections], (one) => one.abort(), report);
    this.#reactor.stop();
  }
}

function openListeners(
  target: Target,
  ownUid: number,
): { listeners: readonly ListeningSocket[]; name: string } {
  if (target.kind === "unix") {
    // A tunnel carries the rights of its owner, so no other user may connect to it.
    const listener = UnixListener.open({ path: target.path, mode: 0o600 }, ownUid);
    return { listeners: [listener], name: listener.name };
  }
  const listeners = TcpListener.openAll(target);
  return { listeners, name: listenersName(target, listeners) };
}

function noKey(path: string): Failure {
  return new Failure(`There is no usable key in ${path}`, {
    exit: ExitCode.config,
    hint: `ipcauth gen-key --show ${shellWord(path)}`,
  });
}
