/** A relay with a test peer at each end: real sockets, a real reactor, one thread. */
import type { Channel } from "../../lib/protocol/channel.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { localAddress, resolveHost } from "../../lib/libc/inet_address.ts";
import {
  accept,
  BROKEN,
  connect,
  NO_MEMORY,
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  unixSocketPair,
  WOULD_BLOCK,
} from "../../lib/libc/sockets.ts";
import { listenTcp, resetOnClose, tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { Relay } from "../../lib/net/relay.ts";
import type { RelayCloseReason, RelayOutcome } from "../../lib/net/relay_outcome.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";
import { connected } from "./conversation.ts";

/** A condition that is not met within this time fails the test. */
const WAIT_TIMEOUT_MS = 20_000;

const MSG_OOB = 1;

/** What an end is connected by; `sealed` is TCP with the records of the access check. */
export type Kind = "unix" | "tcp" | "sealed";

let listener: Descriptor | null = null;

/** Two connected TCP sockets on loopback. */
export function tcpPair(): [Descriptor, Descriptor] {
  listener ??= listenTcp(resolveHost("127.0.0.1", 0)[0]!, 4096);
  const address = resolveHost("127.0.0.1", localAddress(listener).port)[0]!;
  const far = tcpSocket(address);
  connect(far, address);
  for (;;) {
    const near = accept(listener);
    if (near !== null) return [near, far];
  }
}

/** The process at the far end of one of a relay's connections: the client or the backend. */
export class TestPeer {
  readonly #descriptor: Descriptor;
  readonly #channel: Channel | null;
  /** Bytes not sent yet, sealed where the end is sealed. */
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #endWanted = false;
  #finQueued = false;
  #ended = false;
  /** How many bytes have arrived. */
  received = 0;
  /** How the stream of what arrives has ended. */
  end: "open" | "end" | "reset" | "refused" = "open";
  /** Whether sending has failed. */
  broken = false;
  /** Called with the bytes that arrive; by default they are kept. */
  onData: (bytes: Uint8Array, at: number) => void;
  readonly #kept: Uint8Array[] = [];
  readonly #buffer: Uint8Array<ArrayBuffer>;

  constructor(descriptor: Descriptor, channel: Channel | null, bufferSize = 64 * 1024) {
    this.#descriptor = descriptor;
    this.#channel = channel;
    this.#buffer = new Uint8Array(bufferSize);
    this.onData = (bytes) => this.#kept.push(bytes.slice());
  }

  get open(): boolean {
    return this.#descriptor.isOpen;
  }

  /** How many bytes wait to be sent. */
  get unsent(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0);
  }

  /** The bytes kept so far, as text. */
  get text(): string {
    return this.#kept.map((bytes) => new TextDecoder().decode(bytes)).join("");
  }

  /** Queues data and sends what fits. */
  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data.slice();
    if (this.#channel === null) this.#queue.push(bytes);
    else {
      const out = new Uint8Array(this.#channel.sealedLength(bytes.length));
      this.#queue.push(out.subarray(0, this.#channel.sealData(bytes, out)));
    }
    this.write();
  }

  /** Sends bytes as they are, without sealing them. */
  sendRaw(bytes: Uint8Array): void {
    this.#queue.push(bytes.slice());
    this.write();
  }

  /** Seals a text. @returns The record, which is not sent. */
  seal(text: string): Uint8Array<ArrayBuffer> {
    const bytes = new TextEncoder().encode(text);
    const out = new Uint8Array(this.#channel!.sealedLength(bytes.length));
    return out.slice(0, this.#channel!.sealData(bytes, out));
  }

  /** Sends a byte out of band (`MSG_OOB`, `tcp(7)`). */
  sendUrgent(byte: string): void {
    libc.send(this.#descriptor.number, new TextEncoder().encode(byte), 1n, MSG_OOB);
  }

  /** Ends this direction once everything is sent. */
  finish(): void {
    this.#endWanted = true;
    this.write();
  }

  /** Sends the FIN record, and leaves the connection open behind it. */
  sendFin(): void {
    const out = new Uint8Array(256);
    this.sendRaw(out.subarray(0, this.#channel!.sealFin(out)));
  }

  /** Sends what fits into the socket. */
  write(): void {
    while (this.#queue.length > 0 && this.open) {
      const count = send(this.#descriptor, this.#queue[0]!);
      if (count === WOULD_BLOCK || count === NO_MEMORY) return;
      if (count === BROKEN) {
        this.broken = true;
        this.#queue = [];
        return;
      }
      if (count < this.#queue[0]!.length) this.#queue[0] = this.#queue[0]!.subarray(count);
      else this.#queue.shift();
    }
    if (this.#endWanted && this.open) this.#sendEnd();
  }

  #sendEnd(): void {
    if (!this.#finQueued && this.#channel !== null) {
      this.#finQueued = true;
      this.sendFin();
    }
    if (this.#queue.length > 0 || this.#ended) return;
    this.#ended = true;
    shutdownWrite(this.#descriptor);
  }

  /** Reads once. @returns Whether data or an end arrived. */
  read(): boolean {
    if (this.end !== "open" || !this.open) return false;
    const count = receive(this.#descriptor, this.#buffer);
    if (count === WOULD_BLOCK) return false;
    if (count === BROKEN) this.end = "reset";
    else if (count === 0) this.end = this.#channel === null ? "end" : "refused";
    else this.take(this.#buffer.subarray(0, count));
    return true;
  }

  /** Takes bytes that were received before. */
  take(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#channel === null) {
      this.#give(bytes);
      return;
    }
    const out = new Uint8Array(this.#channel.capacityFor(bytes.length));
    const { length, ended, error } = this.#channel.open(bytes, out);
    this.#give(out.subarray(0, length));
    if (error !== null) this.end = "refused";
    else if (ended) this.end = "end";
  }

  #give(bytes: Uint8Array): void {
    if (bytes.length > 0) this.onData(bytes, this.received);
    this.received += bytes.length;
  }

  /** Shuts down reading; sending goes on. */
  refuse(): void {
    shutdownRead(this.#descriptor);
  }

  /** Closes the socket. */
  close(): void {
    this.#descriptor.close();
  }

  /** Closes the socket with a reset (`SO_LINGER` of 0 s), which the other side sees as an error. */
  reset(): void {
    if (this.open) resetOnClose(this.#descriptor);
    this.#descriptor.close();
  }
}

/** Bytes that were received, or are still unsent, before the relay starts. */
export interface InitialBytes {
  readonly received?: (client: TestPeer) => Uint8Array;
  readonly unsent?: Uint8Array;
}

/** A relay between a client and a backend. */
export class RelayFixture {
  readonly client: TestPeer;
  readonly backend: TestPeer;
  readonly relay: Relay;
  /** The relay's own descriptors. */
  readonly owned: readonly [Descriptor, Descriptor];
  /** Each outcome the relay has reported; there should be one. */
  outcomes: RelayOutcome[] = [];
  /** The reasons for which the client's stream was cut. */
  readonly cuts: RelayCloseReason[] = [];

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    client: Kind,
    backend: Kind,
    { received, unsent }: InitialBytes = {},
  ) {
    const [one, other] = [endOf(client), endOf(backend)];
    this.client = one.peer;
    this.backend = other.peer;
    this.owned = [one.end.descriptor, other.end.descriptor];
    this.relay = new Relay(
      reactor,
      buffers,
      { ...one.end, received: received?.(one.peer) ?? null, unsent: unsent ?? null },
      other.end,
      {
        onRelayClosed: (outcome) => this.outcomes.push(outcome),
        onRelayCut: (reason) => this.cuts.push(reason),
      },
    );
  }

  get isClosed(): boolean {
    return this.outcomes.length > 0;
  }

  /** Closes the descriptors of both peers. */
  close(): void {
    this.client.close();
    this.backend.close();
  }
}

function endOf(kind: Kind) {
  const [near, far] = kind === "unix" ? unixSocketPair() : tcpPair();
  const channels = kind === "sealed" ? connected() : null;
  return {
    peer: new TestPeer(far, channels?.client ?? null),
    end: {
      descriptor: near,
      kind: kind === "unix" ? "unix" as const : "tcp" as const,
      seal: channels?.server ?? null,
    },
  };
}

/** A reactor and the relays on it, with their peers. */
export class RelayHarness {
  readonly reactor: Reactor;
  readonly buffers: RelayBuffers;
  readonly fixtures: RelayFixture[] = [];

  /**
   * @param peerTimeoutMs How long a peer may take nothing at the end; two minutes by default.
   * @param report Receives internal errors; by default they fail the test.
   */
  constructor(peerTimeoutMs?: number, report?: (error: unknown) => void) {
    this.reactor = new Reactor(report);
    this.buffers = new RelayBuffers(peerTimeoutMs);
  }

  join(client: Kind, backend: Kind, initial: InitialBytes = {}): RelayFixture {
    const fixture = new RelayFixture(this.reactor, this.buffers, client, backend, initial);
    this.fixtures.push(fixture);
    return fixture;
  }

  /**
   * Turns the reactor, and lets the peers write and read, until a condition is met.
   *
   * @param readers The peers that read; all of them by default.
   * @throws {Error} After {@link WAIT_TIMEOUT_MS}.
   */
  until(isMet: () => boolean, readers: readonly TestPeer[] = this.#peers()): void {
    const deadline = performance.now() + WAIT_TIMEOUT_MS;
    let idle = 0;
    while (!isMet()) {
      if (performance.now() > deadline) {
        throw new Error(`not met within ${WAIT_TIMEOUT_MS} ms: ${isMet}`);
      }
      // Data crosses loopback at once or after a short delay; then the reactor waits 1 ms.
      this.reactor.turn(idle > 3 ? 1 : 0);
      let moved = false;
      for (const peer of this.#peers()) peer.write();
      for (const peer of readers) while (peer.read()) moved = true;
      idle = moved ? 0 : idle + 1;
    }
  }

  /** Turns until nothing has moved for 20 turns. Only for checks that something does not happen. */
  untilIdle(readers: readonly TestPeer[] = this.#peers()): void {
    for (let quiet = 0; quiet < 20;) {
      this.reactor.turn(1);
      let moved = false;
      for (const peer of this.#peers()) peer.write();
      for (const peer of readers) while (peer.read()) moved = true;
      quiet = moved ? 0 : quiet + 1;
    }
  }

  #peers(): TestPeer[] {
    return this.fixtures.flatMap(({ client, backend }) => [client, backend]);
  }

  [Symbol.dispose](): void {
    for (const fixture of this.fixtures) {
      if (!fixture.isClosed) fixture.relay.abort("closed");
      fixture.close();
    }
  }
}

/** A byte of a pattern: it depends on the position and on the seed of the sender. */
function byteOf(seed: number, at: number): number {
  return Math.imul(at + 1, 0x9e3779b1) + Math.imul(seed + 1, 0x85ebca6b) >>> 24;
}

/** A part of the pattern of a sender. */
export function pattern(seed: number, from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => byteOf(seed, from + index));
}

/** Checks each byte that arrives against the pattern of its sender. */
export function expectPattern(peer: TestPeer, seed: number): void {
  peer.onData = (bytes, at) => {
    for (let index = 0; index < bytes.length; index++) {
      if (bytes[index] !== byteOf(seed, at + index)) {
        throw new Error(`byte ${at + index} of ${seed} came as ${bytes[index]}`);
      }
    }
  };
}

/** A xorshift generator: the same seed repeats the same run. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
