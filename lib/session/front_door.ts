/**
 * The way of a connection: listener → credentials → policy → service.
 *
 * @module
 */
import type { ConfigSource } from "../config/source.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { SystemError } from "../libc/errno.ts";
import { accept, receive, shutdown } from "../libc/sockets.ts";
import type { Admission, Decision, PeerCredentials, UnixPeer } from "../policy/types.ts";
import { EPOLLIN, type Reactor, type Registration, type Watcher } from "../reactor/reactor.ts";
import type { Judge } from "./judge.ts";
import type { Journal } from "./journal.ts";
import { readExecutable, readPeer } from "./peer.ts";
import type { Occupant, Service } from "./service.ts";
import type { Sessions } from "./sessions.ts";
import type { UnixListener } from "./unix_listener.ts";

/** How many connections one turn of the reactor takes before the others' events are served. */
const BATCH = 64;
/** How long a listener rests when the machine has no room for another connection, in milliseconds. */
const REST = 100;

const OUT_OF_ROOM: Decision & { allow: false } = { allow: false, reason: "over-limit", by: null };

/** What every door of a house shares. */
export interface House {
  readonly reactor: Reactor;
  readonly source: ConfigSource;
  readonly judge: Judge;
  readonly sessions: Sessions;
  readonly journal: Journal;
  /** Makes sure that {@linkcode source} is no older than the file on disk. */
  refresh(): void;
  /** The name a session runs under. */
  nameOf(as: Admission): string;
}

/** One Unix listener and the service behind it. */
export class FrontDoor implements Watcher {
  readonly #house: House;
  readonly #listener: UnixListener;
  readonly #service: Service;
  readonly #registration: Registration;
  readonly #name: string;
  // Given up to take in, and send away, a connection that no descriptor is left for.
  #spare: Descriptor | null;

  /** Starts accepting. */
  constructor(house: House, listener: UnixListener, service: Service) {
    this.#house = house;
    this.#listener = listener;
    this.#service = service;
    this.#name = `unix:${listener.config.path}`;
    this.#spare = listener.socket.duplicate();
    this.#registration = house.reactor.watch(listener.socket, EPOLLIN, this);
  }

  /** Takes the connections that are waiting. */
  onEvents(): void {
    for (let count = 0; count < BATCH; count++) {
      const connection = this.#accept();
      if (connection === null) return;
      this.#receive(connection);
    }
  }

  /** A bug while deciding about one peer: that peer is refused, the door stays open. */
  onFault(error: unknown): void {
    this.#house.journal.fault(error);
  }

  /** Stops accepting, and takes the socket's name away first so that nobody new comes to wait. */
  close(): void {
    this.#listener.unlink();
    this.#registration.close();
    this.#spare?.close();
    this.#listener.release();
  }

  #receive(connection: Descriptor): void {
    const { judge, journal } = this.#house;
    let handedOver = false;
    try {
      this.#house.refresh();
      const peer = readPeer(connection);
      const decision = judge.admit(peer, this.#listener.config);
      if (decision.allow && peer.credentials !== null) {
        handedOver = true;
        this.#handOver(connection, peer, peer.credentials, decision);
      } else if (!decision.allow) {
        const executable = peer.credentials && readExecutable(connection, peer.credentials);
        journal.denied(this.#name, peer, decision, this.#userOf(peer), executable);
      }
    } finally {
      // Whoever was not handed over is turned away: denied, or an error on the way to the decision.
      if (!handedOver) turnAway(connection);
    }
  }

  /** From here on the service owns the connection, or it is turned away. */
  #handOver(
    connection: Descriptor,
    peer: UnixPeer,
    credentials: PeerCredentials,
    decision: Decision & { allow: true },
  ): void {
    const session = this.#house.sessions.open({
      listener: this.#name,
      door: this.#listener.config,
      service: this.#service.name,
      peer,
      credentials,
      as: decision.as,
      user: this.#house.nameOf(decision.as),
      since: Date.now(),
    });
    let occupant: Occupant | null = null;
    try {
      occupant = this.#service.open(session, connection);
    } finally {
      // The first byte is on its way; what only the log wants to know is asked now.
      session.executable = connection.isOpen ? readExecutable(connection, credentials) : null;
      this.#house.journal.allowed(session, decision.rule);
      if (occupant === null) session.end(0, 0, "error");
      else session.occupy(occupant);
    }
  }

  /** The configured name of a peer that is refused. */
  #userOf(peer: UnixPeer): string | null {
    const uid = peer.credentials?.uid;
    if (uid === undefined) return null;
    return this.#house.source.config.access.usersByUid.get(uid)?.name ?? null;
  }

  /** The next waiting connection, or null when nobody is waiting or there is no room. */
  #accept(): Descriptor | null {
    try {
      return accept(this.#listener.socket);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#sendOneAway(error);
      return null;
    }
  }

  /**
   * Out of descriptors or memory: a waiting connection keeps the listener ready, so the loop would spin.
   * The spare descriptor's place takes one connection in and sends it away; where even that fails, the
   * listener rests a moment. Those who are inside notice nothing.
   */
  #sendOneAway(error: SystemError): void {
    const { reactor, journal } = this.#house;
    this.#spare?.close();
    this.#spare = null;
    try {
      const connection = accept(this.#listener.socket);
      if (connection !== null) {
        const peer = readPeer(connection);
        turnAway(connection);
        journal.denied(this.#name, peer, OUT_OF_ROOM, this.#userOf(peer), null);
      }
      this.#spare = this.#listener.socket.duplicate();
    } catch {
      journal.fault(error);
      this.#registration.update(0);
      reactor.after(REST, () => this.#wakeUp());
    }
  }

  #wakeUp(): void {
    if (!this.#listener.socket.isOpen) return;
    try {
      this.#spare ??= this.#listener.socket.duplicate();
    } catch {
      // Still no room; the next connection that does not fit rests the listener again.
    }
    this.#registration.update(EPOLLIN);
  }
}

/**
 * Ends a connection so that the peer reads end-of-file and nothing else.
 *
 * The kernel answers `ECONNRESET` instead where unread bytes are left behind (`unix(7)`,
 * `unix_release_sock`), so what the peer sent unasked is thrown away, after its direction was shut: it
 * can add nothing, and what there is has an end.
 */
export function turnAway(connection: Descriptor): void {
  shutdown(connection);
  while (receive(connection, dustbin) > 0);
  connection.close();
}

const dustbin = new Uint8Array(64 * 1024);
