/**
 * Peers on TCP that do not acknowledge what was sent to them: the connection of one that has gone
 * is ended, that of a slow one is not.
 *
 * `TCP_USER_TIMEOUT` ends a connection whose bytes are not acknowledged in time. The kernel counts
 * a closed window as well (`tcp_probe_timer` of net/ipv4/tcp_timer.c): a peer that reads nothing
 * for as long is cut, although it answers every probe. So the option is taken back while a window
 * is closed, and the age of the last answer is measured here.
 *
 * @module
 */
import { guardEach } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import {
  acknowledgementStatus,
  setUserTimeout,
  unacknowledgedBytes,
  USER_TIMEOUT_MS,
} from "../libc/tcp_socket.ts";
import type { Reactor } from "../reactor/reactor.ts";
import type { Timer } from "../reactor/timers.ts";

/**
 * Asks the kernel how a peer stands: gone, answering without reading, or neither.
 *
 * @param timeoutMs How long a peer may acknowledge nothing, in milliseconds.
 * @throws {SystemError} When it is no TCP socket.
 */
export function peerState(socket: Descriptor, timeoutMs: number): "lost" | "slow" | "fine" {
  if (unacknowledgedBytes(socket) === 0) return "fine";
  const { inFlight, probes, ageMs } = acknowledgementStatus(socket);
  if (ageMs >= timeoutMs && (inFlight > 0 || probes >= LOST_PROBES)) return "lost";
  // Bytes wait and none is on its way: the peer's window is closed.
  return inFlight === 0 ? "slow" : "fine";
}

/** How many probes of a closed window are unanswered when its peer has gone: one is on its way. */
const LOST_PROBES = 2;

/** A TCP connection whose peer is watched. */
export interface WatchedPeer {
  readonly descriptor: Descriptor;
  /** The peer has acknowledged nothing for too long. */
  onPeerLost(): void;
  /** The peer cannot be watched, which is an internal error: its connection is ended. */
  onFault(): void;
}

/** Watches the peers of a thread: a few system calls for each in half a minute. */
export class PeerWatch {
  readonly #timeoutMs: number;
  /** The peers, and whether their `TCP_USER_TIMEOUT` is taken back. */
  readonly #peers = new Map<WatchedPeer, boolean>();
  #timer: Timer | null = null;

  /** @param timeoutMs How long a peer may acknowledge nothing, in milliseconds. */
  constructor(timeoutMs: number = USER_TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
  }

  /** Watches a peer. */
  add(reactor: Reactor, peer: WatchedPeer): void {
    this.#peers.set(peer, false);
    this.#timer ??= this.#schedule(reactor);
  }

  /** Watches a peer no more; called before its connection is closed. */
  delete(peer: WatchedPeer): void {
    this.#peers.delete(peer);
    if (this.#peers.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #schedule(reactor: Reactor): Timer {
    return reactor.after(this.#timeoutMs / 4, () => {
      this.#timer = this.#peers.size > 0 ? this.#schedule(reactor) : null;
      const report = (error: unknown) => reactor.report(error);
      guardEach([...this.#peers], ([peer, isSlow]) => this.#checkOrEnd(peer, isSlow), report);
    });
  }

  #checkOrEnd(peer: WatchedPeer, wasSlow: boolean): void {
    try {
      this.#check(peer, wasSlow);
    } catch (error) {
      peer.onFault();
      throw error;
    }
  }

  #check(peer: WatchedPeer, wasSlow: boolean): void {
    // Another peer's end may have closed it in this turn.
    if (!peer.descriptor.isOpen) return;
    const state = peerState(peer.descriptor, this.#timeoutMs);
    if (state === "lost") {
      peer.onPeerLost();
      return;
    }
    const isSlow = state === "slow";
    if (isSlow === wasSlow) return;
    this.#peers.set(peer, isSlow);
    setUserTimeout(peer.descriptor, isSlow ? 0 : this.#timeoutMs);
  }
}
