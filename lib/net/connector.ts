/**
 * Connecting to a server without blocking: the addresses of a TCP host in turn, or a Unix socket
 * whose backlog is full.
 *
 * @module
 */
import { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import type { SocketAddress } from "../libc/inet_address.ts";
import { connect } from "../libc/sockets.ts";
import { connectOutcome, tcpSocket } from "../libc/tcp_socket.ts";
import { EPOLLOUT, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";

/**
 * How long a Unix socket with a full backlog is left alone before the next attempt, in
 * milliseconds.
 */
const UNIX_RETRY_INTERVAL_MS = 5;

/** Why there is no connection. */
export interface ConnectError {
  /**
   * `refused`: the kernel or the server refused; `timeout`; `system`: an attempt could not be made.
   */
  readonly kind: "refused" | "timeout" | "system";
  /** The error number of the last attempt; `ETIMEDOUT` after a timeout; 0 where there is none. */
  readonly errno: number;
  /** What an attempt threw, where `kind` is `system`. */
  readonly cause?: unknown;
}

/** Receives the result of a {@linkcode TcpConnector} or {@linkcode retryUnixConnect}. */
export interface ConnectHandler {
  /** Takes ownership of a connected socket. Throws nothing: the attempts are over by then. */
  onConnected(socket: Descriptor): void;
  /** Called at most once, and never before the call that started the attempts has returned. */
  onConnectError(error: ConnectError): void;
}

/** A clock and its timers: a {@linkcode Reactor}, or the runtime's own. */
export interface Scheduler {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  after(milliseconds: number, run: () => void): { cancel(): void };
}

/** How long connecting may take, in milliseconds. */
export interface ConnectTimeouts {
  /** All addresses together; null where the caller has a deadline of its own. */
  readonly totalMs: number | null;
  /** Each address; null where only the total counts. */
  readonly addressMs: number | null;
}

/**
 * Connects to the first address of a host that accepts.
 *
 * @example
 * ```ts
 * const connector = new TcpConnector(reactor, addresses, { totalMs: 10_000, addressMs: null }, {
 *   onConnected: (socket) => relay(socket),
 *   onConnectError: ({ kind }) => session.end(`backend-${kind}`),
 * });
 * const socket = connector.start();
 * ```
 */
export class TcpConnector implements Watcher {
  readonly #reactor: Reactor;
  readonly #addresses: readonly SocketAddress[];
  readonly #timeouts: ConnectTimeouts;
  readonly #handler: ConnectHandler;
  #nextAddress = 0;
  #lastErrno: number = Errno.EADDRNOTAVAIL;
  #registration: Registration | null = null;
  #deadline: { cancel(): void } | null = null;
  #addressTimer: { cancel(): void } | null = null;
  #settled = false;

  constructor(
    reactor: Reactor,
    addresses: readonly SocketAddress[],
    timeouts: ConnectTimeouts,
    handler: ConnectHandler,
  ) {
    this.#reactor = reactor;
    this.#addresses = addresses;
    this.#timeouts = timeouts;
    this.#handler = handler;
  }

  /**
   * Makes the first attempt.
   *
   * @returns The socket where the kernel connected it at once, which ends the attempts; null where
   * the handler is called later.
   */
  start(): Descriptor | null {
    const { totalMs } = this.#timeouts;
    if (totalMs !== null) {
      this.#deadline = this.#reactor.after(totalMs, () => this.#failNow("timeout"));
    }
    return this.#tryNextAddress();
  }

  /** Ends the attempts. The handler is not called any more. */
  cancel(): void {
    this.#settle();
    this.#registration?.close();
    this.#registration = null;
  }

  /** The attempt at the current address has succeeded or failed. */
  onEvents(): void {
    const registration = this.#registration;
    if (registration === null) return;
    const error = connectOutcome(registration.descriptor);
    if (error === Errno.EINPROGRESS) return;
    this.#registration = null;
    this.#addressTimer?.cancel();
    if (error === 0) {
      this.#settle();
      this.#handler.onConnected(new Descriptor(registration.release()));
      return;
    }
    registration.close();
    this.#lastErrno = error;
    this.#continue();
  }

  onFault(error: unknown): void {
    this.#failNow("system", error);
  }

  #continue(): void {
    const socket = this.#tryNextAddress();
    if (socket !== null) this.#handler.onConnected(socket);
  }

  #tryNextAddress(): Descriptor | null {
    try {
      for (;;) {
        const address = this.#addresses[this.#nextAddress++];
        if (address === undefined) return this.#failSoon("refused");
        const socket = tcpSocket(address);
        const error = connect(socket, address);
        if (error === 0) {
          this.#settle();
          return socket;
        }
        if (error === Errno.EINPROGRESS) {
          this.#registration = this.#reactor.watch(socket, EPOLLOUT, this);
          this.#startAddressTimer();
          return null;
        }
        socket.close();
        this.#lastErrno = error;
      }
    } catch (error) {
      return this.#failSoon("system", error);
    }
  }

  #startAddressTimer(): void {
    const { addressMs } = this.#timeouts;
    if (addressMs === null) return;
    this.#addressTimer = this.#reactor.after(addressMs, () => {
      this.#registration?.close();
      this.#registration = null;
      this.#lastErrno = Errno.ETIMEDOUT;
      this.#continue();
    });
  }

  /** Reports a failure in the reactor's next turn, so never inside {@linkcode start}. */
  #failSoon(kind: ConnectError["kind"], cause?: unknown): null {
    this.#reactor.after(0, () => this.#failNow(kind, cause));
    return null;
  }

  #failNow(kind: ConnectError["kind"], cause?: unknown): void {
    if (this.#settled) return;
    this.cancel();
    this.#handler.onConnectError(
      kind === "system" ? systemError(cause) : {
        kind,
        errno: kind === "timeout" ? Errno.ETIMEDOUT : this.#lastErrno,
      },
    );
  }

  #settle(): void {
    this.#settled = true;
    this.#deadline?.cancel();
    this.#addressTimer?.cancel();
  }
}

/**
 * Repeats the attempt to connect to a Unix socket while its backlog is full. A non-blocking
 * `connect(2)` to a full backlog is `EAGAIN` at once, and no event reports free capacity.
 *
 * @param scheduler Runs the next attempt.
 * @param firstErrno The error number of an attempt that was made already.
 * @param attempt Connects; returns the socket or an error number.
 * @param timeoutMs How long the attempts go on, in milliseconds.
 * @returns Ends the attempts; the handler is not called any more.
 */
export function retryUnixConnect(
  scheduler: Scheduler,
  firstErrno: number,
  attempt: () => Descriptor | number,
  timeoutMs: number,
  handler: ConnectHandler,
): () => void {
  const until = scheduler.now() + timeoutMs;
  let timer: { cancel(): void };
  const failSoon = (kind: ConnectError["kind"], errno: number): void => {
    timer = scheduler.after(0, () => handler.onConnectError({ kind, errno }));
  };
  const next = (errno: number): void => {
    if (errno !== Errno.EAGAIN) failSoon("refused", errno);
    else if (scheduler.now() >= until) failSoon("timeout", errno);
    else timer = scheduler.after(UNIX_RETRY_INTERVAL_MS, retry);
  };
  const retry = (): void => {
    let result: Descriptor | number;
    try {
      result = attempt();
    } catch (error) {
      handler.onConnectError(systemError(error));
      return;
    }
    if (typeof result === "number") next(result);
    else handler.onConnected(result);
  };
  next(firstErrno);
  return () => timer.cancel();
}

function systemError(cause: unknown): ConnectError {
  return { kind: "system", errno: cause instanceof SystemError ? cause.errno : 0, cause };
}
