/**
 * Connecting to one of several addresses of a TCP host without blocking.
 *
 * An address that does not answer keeps its time while the next one is tried beside it, as RFC 8305
 * ("Happy Eyeballs") has it. The first that accepts is used, and the other attempts are given up.
 *
 * @module
 */
import { AF_INET6 } from "../libc/constants.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import { familyOf, type SocketAddress } from "../libc/inet_address.ts";
import { connect } from "../libc/sockets.ts";
import { connectOutcome, tcpSocket } from "../libc/tcp_socket.ts";
import { EPOLLOUT, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { ConnectError, ConnectHandler } from "./connector.ts";

/** How long an address has for itself before the next one is tried, in milliseconds. */
const NEXT_ADDRESS_MS = 2_000;

/**
 * Connects to the first address of a host that accepts.
 *
 * @example
 * ```ts
 * const connector = new TcpConnector(reactor, addresses, 10_000, {
 *   onConnected: (socket) => join(socket),
 *   onConnectError: ({ kind }) => log(kind),
 * });
 * const socket = connector.start();
 * if (socket !== null) join(socket);
 * ```
 */
export class TcpConnector {
  readonly #reactor: Reactor;
  readonly #addresses: readonly SocketAddress[];
  readonly #timeoutMs: number;
  readonly #handler: ConnectHandler;
  readonly #pending = new Set<Registration>();
  #nextAddress = 0;
  /** What is reported when no address accepts. */
  #error: ConnectError = { kind: "refused", errno: Errno.EADDRNOTAVAIL };
  #deadline: { cancel(): void } | null = null;
  #nextTimer: { cancel(): void } | null = null;
  #settled = false;

  /**
   * @param addresses In the order of RFC 6724. The families take turns.
   * @param timeoutMs How long all attempts together may take, in milliseconds. Each address gets at
   * least its share of it.
   */
  constructor(
    reactor: Reactor,
    addresses: readonly SocketAddress[],
    timeoutMs: number,
    handler: ConnectHandler,
  ) {
    this.#reactor = reactor;
    this.#addresses = alternate(addresses);
    this.#timeoutMs = timeoutMs;
    this.#handler = handler;
  }

  /**
   * Makes the first attempt.
   *
   * @returns The socket where the kernel connected it at once, which ends the attempts; null where
   * the handler is called later.
   */
  start(): Descriptor | null {
    const fail = () => this.#failNow({ kind: "timeout" });
    this.#deadline = this.#reactor.after(this.#timeoutMs, fail);
    return this.#tryNextAddress();
  }

  /** Ends the attempts. The handler is not called any more. */
  cancel(): void {
    this.#settled = true;
    this.#deadline?.cancel();
    this.#nextTimer?.cancel();
    for (const registration of this.#pending) registration.close();
    this.#pending.clear();
  }

  /**
   * Starts the next attempt.
   *
   * @returns A socket that is connected already.
   */
  #tryNextAddress(): Descriptor | null {
    this.#nextTimer?.cancel();
    try {
      for (;;) {
        const address = this.#addresses[this.#nextAddress++];
        if (address === undefined) {
          if (this.#pending.size === 0) this.#failSoon(this.#error);
          return null;
        }
        const result = this.#attempt(address);
        if (result instanceof Descriptor) return result;
        if (result === "pending") {
          this.#awaitNextAddress();
          return null;
        }
      }
    } catch (error) {
      this.#failSoon({ kind: "system", cause: error });
      return null;
    }
  }

  /** @returns The socket where it is connected already, or how the attempt stands. */
  #attempt(address: SocketAddress): Descriptor | "pending" | "failed" {
    let socket: Descriptor;
    try {
      socket = tcpSocket(address);
    } catch (cause) {
      if (!(cause instanceof SystemError)) throw cause;
      // A family that the kernel lacks, for example, says nothing of the other addresses.
      this.#recordError({ kind: "system", cause });
      return "failed";
    }
    const error = connect(socket, address);
    if (error === 0) {
      this.cancel();
      return socket;
    }
    if (error !== Errno.EINPROGRESS) {
      socket.close();
      this.#recordError({ kind: "refused", errno: error });
      return "failed";
    }
    const watcher: Watcher = {
      onEvents: () => this.#onOutcome(registration),
      onFault: (cause) => this.#failNow({ kind: "system", cause }),
    };
    const registration = this.#reactor.watch(socket, EPOLLOUT, watcher);
    this.#pending.add(registration);
    return "pending";
  }

  #awaitNextAddress(): void {
    if (this.#nextAddress >= this.#addresses.length) return;
    const wait = Math.min(NEXT_ADDRESS_MS, this.#timeoutMs / this.#addresses.length);
    this.#nextTimer = this.#reactor.after(wait, () => this.#continue());
  }

  /** An attempt has succeeded or failed. */
  #onOutcome(registration: Registration): void {
    const error = connectOutcome(registration.descriptor);
    if (error === Errno.EINPROGRESS) return;
    this.#pending.delete(registration);
    if (error === 0) {
      const socket = new Descriptor(registration.release());
      this.cancel();
      this.#handler.onConnected(socket);
      return;
    }
    registration.close();
    this.#recordError({ kind: "refused", errno: error });
    this.#continue();
  }

  #continue(): void {
    const socket = this.#tryNextAddress();
    if (socket !== null) this.#handler.onConnected(socket);
  }

  /** What an address answers says more than that this machine could not ask another one. */
  #recordError(error: ConnectError): void {
    const isAnswer = this.#error.kind === "refused" &&
      this.#error.errno !== Errno.EADDRNOTAVAIL;
    if (error.kind !== "system" || !isAnswer) this.#error = error;
  }

  /** Reports a failure in the reactor's next turn, so never inside {@linkcode start}. */
  #failSoon(error: ConnectError): void {
    this.#nextTimer = this.#reactor.after(0, () => this.#failNow(error));
  }

  #failNow(error: ConnectError): void {
    if (this.#settled) return;
    this.cancel();
    this.#handler.onConnectError(error);
  }
}

/**
 * The addresses with their families in turn, beginning with that of the first (RFC 8305, section
 * 4). A family that is cut off then costs one wait, whatever the number of its addresses.
 */
function alternate(addresses: readonly SocketAddress[]): readonly SocketAddress[] {
  if (addresses.length < 3) return addresses;
  const isFirstV6 = familyOf(addresses[0]!) === AF_INET6;
  const [first, second] = [true, false].map((isFirst) =>
    addresses.filter((one) => (familyOf(one) === AF_INET6) === (isFirst === isFirstV6))
  ) as [SocketAddress[], SocketAddress[]];
  const longest = Math.max(first.length, second.length);
  return Array.from({ length: longest }, (_, at) => [first[at], second[at]]).flat()
    .filter((one) => one !== undefined);
}
