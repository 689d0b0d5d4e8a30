/** A relay with somebody at each end: real sockets, a real reactor, one thread. */
import type { Channel } from "../../lib/protocol/channel.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { localAddress, resolveHost } from "../../lib/libc/inet_address.ts";
import {
  accept,
  BROKEN,
  connect,
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
import { Relay, type RelayOutcome } from "../../lib/net/relay.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";
import { connected } from "./conversation.ts";

/** How long something may take before it counts as never, in milliseconds. */
const PATIENCE = 20_000;

const MSG_OOB = 1;

/** What kind of connection an end is. */
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

/** Whoever is at the other end of one of a relay's connections. */
export class Person {
  readonly #descriptor: Descriptor;
  readonly #channel: Channel | null;
  /** What is still to be sent, sealed where it must be. */
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #endWanted = false;
  #ended = false;
  /** How many bytes have arrived. */
  received = 0;
  /** How the stream of what arrives has ended. */
  end: "open" | "end" | "reset" | "refused" = "open";
  /** Whether sending has failed. */
  broken = false;
  /** What is done with what arrives; by default it is kept. */
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

  /** What has arrived, as text. */
  get text(): string {
    return this.#kept.map((bytes) => new TextDecoder().decode(bytes)).join("");
  }

  /** Says something. */
  say(words: string | Uint8Array): void {
    const bytes = typeof words === "string" ? new TextEncoder().encode(words) : words.slice();
    if (this.#channel === null) this.#queue.push(bytes);
    else {
      const out = new Uint8Array(this.#channel.sealedLength(bytes.length));
      this.#queue.push(out.subarray(0, this.#channel.sealData(bytes, out)));
    }
    this.write();
  }

  /** Sends bytes as they are, past the seal. */
  sayRaw(bytes: Uint8Array): void {
    this.#queue.push(bytes.slice());
    this.write();
  }

  /** What the seal makes of some bytes, without sending it. */
  seal(words: string): Uint8Array<ArrayBuffer> {
    const bytes = new TextEncoder().encode(words);
    const out = new Uint8Array(this.#channel!.sealedLength(bytes.length));
    return out.slice(0, this.#channel!.sealData(bytes, out));
  }

  /** Sends a byte out of band (`MSG_OOB`, `tcp(7)`). */
  sayUrgently(byte: string): void {
    libc.send(this.#descriptor.number, new TextEncoder().encode(byte), 1n, MSG_OOB);
  }

  /** Ends its direction once everything is sent. */
  finish(): void {
    this.#endWanted = true;
    this.write();
  }

  /** Sends what fits. */
  write(): void {
    while (this.#queue.length > 0 && this.open) {
      const count = send(this.#descriptor, this.#queue[0]!);
      if (count === WOULD_BLOCK) return;
      if (count === BROKEN) {
        this.broken = true;
        this.#queue = [];
        return;
      }
      if (count < this.#queue[0]!.length) this.#queue[0] = this.#queue[0]!.subarray(count);
      else this.#queue.shift();
    }
    if (!this.#endWanted || this.#ended || !this.open) return;
    this.#ended = true;
    if (this.#channel !== null) {
      const out = new Uint8Array(256);
      send(this.#descriptor, out, this.#channel.sealFin(out));
    }
    shutdownWrite(this.#descriptor);
  }

  /** Reads what is there, once. @returns Whether there was something. */
  read(): boolean {
    if (this.end !== "open" || !this.open) return false;
    const count = receive(this.#descriptor, this.#buffer);
    if (count === WOULD_BLOCK) return false;
    if (count === BROKEN) this.end = "reset";
    else if (count === 0) this.end = this.#channel === null ? "end" : "refused";
    else this.#take(this.#buffer.subarray(0, count));
    return true;
  }

  #take(bytes: Uint8Array<ArrayBuffer>): void {
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

  /** Takes nothing any more, and may go on speaking. */
  refuse(): void {
    shutdownRead(this.#descriptor);
  }

  /** Leaves without a word. */
  close(): void {
    this.#descriptor.close();
  }

  /** Leaves, and lets the other side know that something is wrong. */
  reset(): void {
    if (this.open) resetOnClose(this.#descriptor);
    this.#descriptor.close();
  }
}

/** What a relay begins with, beside its two connections. */
export interface Beginning {
  readonly received?: (client: Person) => Uint8Array;
  readonly unsent?: Uint8Array;
}

/** A relay between a client and a backend. */
export class Joint {
  readonly client: Person;
  readonly backend: Person;
  readonly relay: Relay;
  /** How often the relay has said that it is over. */
  outcomes: RelayOutcome[] = [];

  constructor(
    reactor: Reactor,
    buffers: RelayBuffers,
    client: Kind,
    backend: Kind,
    { received, unsent }: Beginning = {},
  ) {
    const [one, other] = [endOf(client), endOf(backend)];
    this.client = one.person;
    this.backend = other.person;
    this.relay = new Relay(
      reactor,
      buffers,
      { ...one.end, received: received?.(one.person) ?? null, unsent: unsent ?? null },
      other.end,
      { onRelayClosed: (outcome) => this.outcomes.push(outcome) },
    );
  }

  get over(): boolean {
    return this.outcomes.length > 0;
  }

  /** Everybody's descriptors are closed. */
  leave(): void {
    this.client.close();
    this.backend.close();
  }
}

function endOf(kind: Kind) {
  const [near, far] = kind === "unix" ? unixSocketPair() : tcpPair();
  const channels = kind === "sealed" ? connected() : null;
  return {
    person: new Person(far, channels?.client ?? null),
    end: {
      descriptor: near,
      kind: kind === "unix" ? "unix" as const : "tcp" as const,
      seal: channels?.server ?? null,
    },
  };
}

/** A reactor and the relays on it. */
export class Stage {
  readonly reactor = new Reactor();
  readonly buffers = new RelayBuffers();
  readonly joints: Joint[] = [];

  join(client: Kind, backend: Kind, beginning: Beginning = {}): Joint {
    const joint = new Joint(this.reactor, this.buffers, client, backend, beginning);
    this.joints.push(joint);
    return joint;
  }

  /**
   * Turns the reactor, and lets everybody write and read, until something is so.
   *
   * @param who Whoever reads; the others do not.
   */
  until(isSo: () => boolean, who: readonly Person[] = this.#everybody()): void {
    const deadline = performance.now() + PATIENCE;
    let idle = 0;
    while (!isSo()) {
      if (performance.now() > deadline) throw new Error(`this never came: ${isSo}`);
      // What crosses loopback is there at once, or in a moment: then the reactor waits for it.
      this.reactor.turn(idle > 3 ? 1 : 0);
      let moved = false;
      for (const person of this.#everybody()) person.write();
      for (const person of who) while (person.read()) moved = true;
      idle = moved ? 0 : idle + 1;
    }
  }

  /** Turns until nothing moves any more for some time. Only for what is not to happen. */
  rest(who: readonly Person[] = this.#everybody()): void {
    for (let quiet = 0; quiet < 20;) {
      this.reactor.turn(1);
      let moved = false;
      for (const person of this.#everybody()) person.write();
      for (const person of who) while (person.read()) moved = true;
      quiet = moved ? 0 : quiet + 1;
    }
  }

  #everybody(): Person[] {
    return this.joints.flatMap(({ client, backend }) => [client, backend]);
  }

  [Symbol.dispose](): void {
    for (const joint of this.joints) {
      if (!joint.over) joint.relay.abort("closed");
      joint.leave();
    }
  }
}

/**
 * The sockets that this process has open, as somebody else sees them: Deno lets nobody look. Other tests of the
 * same process may close theirs meanwhile, so they are named and not counted.
 */
export function openSockets(): Set<string> {
  const args = ["-l", `/proc/${Deno.pid}/fd`];
  const { stdout } = new Deno.Command("ls", { args }).outputSync();
  return new Set(new TextDecoder().decode(stdout).match(/socket:\[\d+\]/g));
}

/** A byte of the pattern that a person sends: different in every place, and from anybody else's. */
function byteOf(seed: number, at: number): number {
  return Math.imul(at + 1, 0x9e3779b1) + Math.imul(seed + 1, 0x85ebca6b) >>> 24;
}

/** A part of what a person sends. */
export function pattern(seed: number, from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => byteOf(seed, from + index));
}

/** Checks everything that arrives against the pattern of who sent it. */
export function expectFrom(person: Person, seed: number): void {
  person.onData = (bytes, at) => {
    for (let index = 0; index < bytes.length; index++) {
      if (bytes[index] !== byteOf(seed, at + index)) {
        throw new Error(`byte ${at + index} of ${seed} came as ${bytes[index]}`);
      }
    }
  };
}

/** A xorshift generator, so that a failure can be run again. */
export function numbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
