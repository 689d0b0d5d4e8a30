/**
 * The service `forward`: joins the peer to a backend, in the data plane.
 *
 * @module
 */
import type { ForwardIdentity, Target } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { Descriptor } from "../libc/descriptor.ts";
import { Errno, SystemError } from "../libc/errno.ts";
import {
  connectOutcome,
  connectTcp,
  endpointText,
  NameError,
  resolveHost,
  type SocketAddress,
  tcpSocket,
  tuneTcp,
} from "../libc/inet.ts";
import { connect, unixAddress, unixSocket } from "../libc/sockets.ts";
import { EPOLLOUT, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";
import { Relay, type RelayBuffers } from "../reactor/relay.ts";
import type { RelayEnd } from "../reactor/relay_end.ts";
import type { Timer } from "../reactor/timers.ts";
import { turnAway } from "../session/acceptor.ts";
import { type PassOn, passOn } from "./pass_on.ts";
import type { Line, Occupant, Service } from "../session/service.ts";
import type { CloseReason, Session } from "../session/sessions.ts";

/** How long a backend may take to let us in, in milliseconds. */
const PATIENCE = 10_000;
/** How often a Unix backend is asked again that has no room for another connection, in milliseconds. */
const PAUSE = 5;

/** Where connections are forwarded to. */
export class Forwarder implements Service {
  readonly name = "forward";
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #kind: "unix" | "tcp";
  readonly #addresses: readonly [SocketAddress, ...SocketAddress[]];
  readonly #passOn: PassOn;
  readonly #idleTimeout: () => number;

  /**
   * @param target The backend. The addresses of a host are asked for once, now.
   * @param identity What the backend is told of the peer.
   * @param idleTimeout How long a session may be silent, in milliseconds; 0 for ever.
   * @throws {Failure} 78 when the host has no address, or this process may not become others and is to.
   */
  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    target: Target,
    identity: ForwardIdentity,
    idleTimeout: () => number,
  ) {
    this.#passOn = passOn(identity);
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#kind = target.kind;
    this.#addresses = addressesOf(target);
    this.#idleTimeout = idleTimeout;
  }

  open(session: Session, line: Line): Occupant {
    const forwarding = new Forwarding(this.#reactor, this.#buffers, this.#passOn, session, line);
    try {
      forwarding.begin(this.#kind, this.#addresses, this.#idleTimeout());
    } catch {
      // Out of descriptors, say: this session has no backend, and the others go on.
      forwarding.giveUp();
    }
    return forwarding;
  }
}

/** A session on its way to its backend, and then joined to it. */
class Forwarding implements Occupant, Watcher {
  readonly #reactor: Reactor;
  readonly #buffers: RelayBuffers;
  readonly #passOn: PassOn;
  readonly #session: Session;
  readonly #peer: RelayEnd;
  #registration: Registration | null = null;
  #deadline: Timer | null = null;
  #retry: Timer | null = null;
  #relay: Relay | null = null;
  #idle: Timer | null = null;
  #addresses: readonly SocketAddress[] = [];
  #next = 0;
  #idleTimeout = 0;
  #over = false;

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    passOn: PassOn,
    session: Session,
    line: Line,
  ) {
    this.#reactor = reactor;
    this.#buffers = buffers;
    this.#passOn = passOn;
    this.#session = session;
    // What has come already lies in a buffer that others use while the backend is waited for.
    this.#peer = { ...line, seal: line.channel, received: line.received?.slice() ?? null };
  }

  begin(kind: "unix" | "tcp", addresses: readonly SocketAddress[], idleTimeout: number): void {
    this.#idleTimeout = idleTimeout;
    this.#addresses = addresses;
    if (kind === "unix") this.#tryUnix(this.#reactor.now() + PATIENCE);
    else {
      this.#deadline = this.#reactor.after(PATIENCE, () => this.#end("backend-timeout"));
      this.#tryTcp(0);
    }
  }

  /** The connection to a TCP backend has come out one way or the other. */
  onEvents(): void {
    const registration = this.#registration;
    if (registration === null) return;
    const error = connectOutcome(registration.descriptor);
    if (error === Errno.EINPROGRESS) return;
    this.#registration = null;
    if (error === 0) this.#join(new Descriptor(registration.release()), "tcp");
    else {
      registration.close();
      this.#tryTcp(this.#next);
    }
  }

  onFault(): void {
    this.#end("error");
  }

  evict(): void {
    if (this.#relay !== null) this.#relay.abort("error");
    else this.#end("error");
  }

  /** A full backlog is `EAGAIN` at once, and nothing tells when there is room (`connect(2)`). */
  #tryUnix(until: number): void {
    const [address] = this.#addresses;
    if (address === undefined) throw new Error("a backend has no address");
    const backend = unixSocket();
    const error = this.#passOn.connecting(
      this.#session,
      this.#peer.descriptor,
      () => connect(backend, address),
    );
    if (error === 0) {
      this.#join(backend, "unix");
      return;
    }
    backend.close();
    if (error !== Errno.EAGAIN) this.#endSoon("backend-refused");
    else if (this.#reactor.now() >= until) this.#endSoon("backend-timeout");
    else {
      this.#retry = this.#reactor.after(PAUSE, () => {
        if (this.#over) return;
        try {
          this.#tryUnix(until);
        } catch {
          this.#end("backend-error");
        }
      });
    }
  }

  #tryTcp(index: number): void {
    const address = this.#addresses[index];
    if (address === undefined) {
      this.#endSoon("backend-refused");
      return;
    }
    this.#next = index + 1;
    const backend = tcpSocket(address);
    const error = connectTcp(backend, address);
    if (error === 0) this.#join(backend, "tcp");
    else if (error === Errno.EINPROGRESS) {
      this.#registration = this.#reactor.watch(backend, EPOLLOUT, this);
    } else {
      backend.close();
      this.#tryTcp(this.#next);
    }
  }

  #join(backend: Descriptor, kind: "unix" | "tcp"): void {
    this.#cancelTimers();
    if (kind === "tcp") tuneTcp(backend);
    let unsent: Uint8Array | null;
    try {
      unsent = this.#passOn.before(this.#session, this.#peer.descriptor);
    } catch {
      // A backend that cannot be told who comes gets nobody.
      backend.close();
      this.#endSoon("backend-error");
      return;
    }
    this.#relay = new Relay(
      this.#reactor,
      this.#buffers,
      this.#peer,
      { descriptor: backend, kind, seal: null, unsent },
      ({ bytesIn, bytesOut, reason, brokenOff }) => {
        this.#over = true;
        this.#cancelTimers();
        this.#session.carried({ in: bytesIn, out: bytesOut });
        this.#session.end(brokenOff === "second" ? "backend-error" : reason as CloseReason);
      },
    );
    this.#watchSilence();
  }

  #watchSilence(): void {
    if (this.#idleTimeout === 0 || this.#relay === null) return;
    const silent = this.#reactor.now() - this.#relay.lastMove;
    if (silent >= this.#idleTimeout) this.#session.evict("idle");
    else {
      this.#idle = this.#reactor.after(this.#idleTimeout - silent, () => this.#watchSilence());
    }
  }

  /** The backend cannot even be asked. */
  giveUp(): void {
    this.#endSoon("backend-error");
  }

  #endSoon(reason: CloseReason): void {
    this.#reactor.after(0, () => this.#end(reason));
  }

  /** There will be no backend. */
  #end(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimers();
    this.#registration?.close();
    this.#registration = null;
    this.#peer.seal?.wipe();
    turnAway(this.#peer.descriptor);
    this.#session.carried({ in: 0, out: 0 });
    this.#session.end(reason);
  }

  #cancelTimers(): void {
    for (const timer of [this.#deadline, this.#retry, this.#idle]) {
      timer?.cancel();
    }
  }
}

function addressesOf(target: Target): readonly [SocketAddress, ...SocketAddress[]] {
  if (target.kind === "unix") return [unixAddress(target.path)];
  try {
    const [first, ...others] = resolveHost(target.host, target.port);
    if (first === undefined) throw new NameError(`the host "${target.host}" has no address`);
    return [first, ...others];
  } catch (cause) {
    if (!(cause instanceof NameError || cause instanceof SystemError)) throw cause;
    throw new Failure(`Cannot forward to tcp:${endpointText(target)}: ${cause.message}`, {
      exit: ExitCode.config,
      hint: `getent ahosts ${target.host}`,
      cause,
    });
  }
}
