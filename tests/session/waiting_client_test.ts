/** A client that waits: when it has left, and what it leaves behind. Real sockets, one thread. */
import { assert, assertEquals } from "@std/assert";
import {
  BROKEN,
  peek,
  receive,
  send,
  shutdown,
  shutdownWrite,
  unixSocketPair,
  WOULD_BLOCK,
} from "../../lib/libc/sockets.ts";
import { resetOnClose } from "../../lib/libc/tcp_socket.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import type { ClientConnection } from "../../lib/session/service.ts";
import { WaitingClient } from "../../lib/session/waiting_client.ts";
import { isWiped, keyedDuring } from "../support/ciphers.ts";
import { connected } from "../support/conversation.ts";
import { whenThere } from "../support/last_close.ts";
import { tcpPair } from "../support/relay_harness.ts";

const ONE_BYTE = Uint8Array.of(7);

/** A client that waits, on a Unix socket or, sealed, on TCP. */
class Waiting {
  readonly reactor = new Reactor();
  readonly #pair;
  readonly connection: ClientConnection;
  readonly left: string[] = [];
  readonly client: WaitingClient;

  constructor(kind: "unix" | "tcp" = "unix", received: Uint8Array | null = null) {
    this.#pair = kind === "unix" ? unixSocketPair() : tcpPair();
    const seal = kind === "unix" ? null : connected().server;
    this.connection = { descriptor: this.near, kind, seal, received, unsent: null };
    this.client = new WaitingClient(this.connection, (reason) => this.left.push(reason));
  }

  get near() {
    return this.#pair[0];
  }

  get far() {
    return this.#pair[1];
  }

  /** Ends the client's connection, and turns the reactor until its socket knows. */
  leave(end: "half" | "whole" | "reset"): void {
    if (end === "half") shutdownWrite(this.far);
    else {
      // At once, whatever other descriptors there are of it.
      if (end === "whole") shutdown(this.far);
      else resetOnClose(this.far);
      this.far.close();
    }
    this.turns();
  }

  turns(): void {
    for (let turn = 0; turn < 5; turn++) this.reactor.turn(1);
  }

  [Symbol.dispose](): void {
    this.client.close();
    if (this.far.isOpen) this.far.close();
    this.reactor.close();
  }
}

Deno.test("a Unix client that ends its own direction waits for an answer, and leaves at its end", () => {
  using waiting = new Waiting();
  waiting.client.watch(waiting.reactor);
  // A second call watches nothing else.
  waiting.client.watch(waiting.reactor);
  assertEquals(waiting.reactor.size, 1);
  waiting.leave("half");
  assertEquals(waiting.left, []);
  waiting.leave("whole");
  assertEquals(waiting.left, ["end"]);
});

Deno.test("an end that has come before it is watched is one, too", () => {
  using waiting = new Waiting();
  shutdown(waiting.far);
  waiting.far.close();
  waiting.client.watch(waiting.reactor);
  waiting.turns();
  assertEquals(waiting.left, ["end"]);
});

Deno.test("a client of an encrypted connection has cut it, wherever it ends", () => {
  for (const end of ["half", "whole"] as const) {
    using waiting = new Waiting("tcp");
    waiting.client.watch(waiting.reactor);
    waiting.leave(end);
    assertEquals(waiting.left, ["truncated"]);
  }
});

Deno.test("what a client has sent before it left is for the service", () => {
  for (const kind of ["unix", "tcp"] as const) {
    using sent = new Waiting(kind);
    sent.client.watch(sent.reactor);
    send(sent.far, ONE_BYTE);
    using received = new Waiting(kind, ONE_BYTE);
    received.client.watch(received.reactor);
    using nothing = new Waiting(kind, new Uint8Array(0));
    nothing.client.watch(nothing.reactor);
    for (const one of [sent, received, nothing]) one.leave("whole");
    assertEquals([sent.left, received.left, nothing.left.length], [[], [], 1]);
    const { descriptor } = sent.client.take();
    assertEquals(receive(descriptor, new Uint8Array(9)), 1);
    sent.client.close();
  }
});

Deno.test("a broken connection is an error, whatever it has carried", () => {
  for (const received of [null, ONE_BYTE]) {
    using waiting = new Waiting("tcp", received);
    waiting.client.watch(waiting.reactor);
    waiting.leave("reset");
    assertEquals(waiting.left, ["error"]);
  }
  using waiting = new Waiting();
  waiting.client.onFault();
  assertEquals(waiting.left, ["error"]);
});

Deno.test("a client that is taken is watched no more, with the bytes that it came with", () => {
  const memory = Uint8Array.of(1, 2, 3);
  using waiting = new Waiting("unix", memory);
  assertEquals(waiting.client.take().descriptor, waiting.near);
  waiting.client.watch(waiting.reactor);
  // The next connection is read into the same memory.
  memory.fill(0);
  const { number } = waiting.near;
  const taken = waiting.client.take();
  assertEquals([taken.received, taken.kind, taken.seal], [Uint8Array.of(1, 2, 3), "unix", null]);
  assertEquals([taken.descriptor.number, waiting.reactor.size], [number, 0]);
  assertEquals(waiting.client.take(), taken);
  waiting.leave("whole");
  waiting.client.onEvents(-1);
  assertEquals(waiting.left, []);
  // One that was taken and closed is not closed again: its number may be another's.
  taken.descriptor.close();
  waiting.client.close();
  using bare = new Waiting();
  assertEquals(bare.client.take().received, null);
});

Deno.test("a client that is closed reads end-of-file, and no key of it is left", () => {
  using waiting = new Waiting();
  waiting.client.watch(waiting.reactor);
  send(waiting.far, ONE_BYTE);
  waiting.client.close();
  assertEquals(whenThere(() => peek(waiting.far), WOULD_BLOCK), 0);
  assertEquals(waiting.reactor.size, 0);
  let keyed!: Waiting;
  const ciphers = keyedDuring(() => keyed = new Waiting("tcp"));
  using _keyed = keyed;
  assertEquals(ciphers.filter((cipher) => !isWiped(cipher)).length, 4);
  keyed.client.close();
  assert(peek(keyed.far) !== BROKEN);
  // Those of the other end are in use still.
  assertEquals(ciphers.filter((cipher) => !isWiped(cipher)).length, 2);
});
