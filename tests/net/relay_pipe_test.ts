/** The pipe of all relays: what one stream left in it never reaches another one. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  BROKEN,
  receive,
  send,
  shutdownRead,
  shutdownWrite,
  unixSocketPair,
} from "../../lib/libc/sockets.ts";
import { RelayPipe } from "../../lib/net/relay_pipe.ts";
import { whenThere } from "../support/last_close.ts";
import { pattern } from "../support/relay_harness.ts";

const CAPACITY = 64 * 1024;

function bytes(seed: number, at: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(pattern(seed, at, length));
}

/** Two connections, and the pipe between them. */
class Sockets {
  readonly #from = unixSocketPair();
  readonly #to = unixSocketPair();
  readonly client = this.#from[0];
  readonly source = this.#from[1];
  readonly sink = this.#to[0];
  readonly backend = this.#to[1];
  readonly rest = new Uint8Array(CAPACITY);

  move(pipe: RelayPipe): number {
    return pipe.move(this.source, this.sink, this.rest);
  }

  /** What the backend receives in one read. */
  received(): Uint8Array {
    const into = new Uint8Array(4 * CAPACITY);
    return into.subarray(0, Math.max(0, receive(this.backend, into)));
  }

  [Symbol.dispose](): void {
    for (const socket of [...this.#from, ...this.#to]) if (socket.isOpen) socket.close();
  }
}

/** A pipe in use, until the end of its block. */
function usedPipe(): RelayPipe & Disposable {
  const pipe = new RelayPipe(CAPACITY);
  pipe.enter();
  return Object.assign(pipe, { [Symbol.dispose]: () => pipe.leave() });
}

Deno.test("a pipe moves what has arrived, and nothing at the end of the stream", () => {
  using pipe = usedPipe();
  using sockets = new Sockets();
  assertEquals(sockets.move(pipe), 0);
  send(sockets.client, bytes(1, 0, 50_000));
  assertEquals(sockets.move(pipe), 50_000);
  assertEquals(pipe.left, 0);
  assertEquals(sockets.received(), bytes(1, 0, 50_000));
  shutdownWrite(sockets.client);
  assertEquals(sockets.move(pipe), 0);
});

Deno.test("what the other socket does not take is read, in order", () => {
  using pipe = usedPipe();
  using sockets = new Sockets();
  let sent = 0;
  for (; pipe.left === 0; sent += 50_000) {
    assertEquals(send(sockets.client, bytes(1, sent, 50_000)), 50_000);
    assertEquals(sockets.move(pipe), 50_000);
  }
  const { left } = pipe;
  const taken: number[] = [];
  for (let part = sockets.received(); part.length > 0; part = sockets.received()) {
    for (const byte of part) taken.push(byte);
  }
  assertEquals(new Uint8Array(taken), bytes(1, 0, sent - left));
  assertEquals(sockets.rest.subarray(0, left), bytes(1, sent - left, left));
});

Deno.test("a socket that takes nothing leaves no byte in the pipe for the next stream", () => {
  using pipe = usedPipe();
  using broken = new Sockets();
  using next = new Sockets();
  shutdownRead(broken.backend);
  send(broken.client, bytes(1, 0, 10_000));
  assertEquals(broken.move(pipe), 10_000);
  assertEquals(pipe.left, 10_000);
  assertEquals(broken.rest.subarray(0, 10_000), bytes(1, 0, 10_000));
  send(next.client, bytes(2, 0, 1_000));
  assertEquals(next.move(pipe), 1_000);
  assertEquals(next.received(), bytes(2, 0, 1_000));
});

Deno.test("a pipe that may not be empty is closed, and the next stream has another one", () => {
  using pipe = usedPipe();
  using first = new Sockets();
  using next = new Sockets();
  shutdownRead(first.backend);
  send(first.client, bytes(1, 0, 10_000));
  const tooShort = new Uint8Array(5_000);
  assertThrows(() => pipe.move(first.source, first.sink, tooShort), RangeError, "10000 bytes");
  send(next.client, bytes(2, 0, 1_000));
  assertEquals(next.move(pipe), 1_000);
  assertEquals(next.received(), bytes(2, 0, 1_000));
});

Deno.test("a broken connection is reported, once, and is no end of the stream", () => {
  using pipe = usedPipe();
  using sockets = new Sockets();
  send(sockets.client, bytes(1, 0, 1_000));
  // The client leaves, and has not read what was sent to it.
  send(sockets.source, bytes(2, 0, 10));
  sockets.client.close();
  assertEquals(sockets.move(pipe), 1_000);
  assertEquals(whenThere(() => sockets.move(pipe), 0), BROKEN);
  assertEquals(receive(sockets.source, sockets.rest), 0);
});

Deno.test("a pipe that the last relay has closed is opened anew", () => {
  const pipe = new RelayPipe(CAPACITY);
  using sockets = new Sockets();
  for (const use of [1, 2]) {
    pipe.enter();
    send(sockets.client, bytes(use, 0, 1_000));
    assertEquals(sockets.move(pipe), 1_000);
    pipe.leave();
    assertEquals(sockets.received(), bytes(use, 0, 1_000));
  }
});
