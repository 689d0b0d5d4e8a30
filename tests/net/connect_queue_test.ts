/** Clients that wait for a Unix socket whose backlog is full. */
import { assert, assertEquals } from "@std/assert";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { accept, bind, connect, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { ConnectQueue } from "../../lib/net/connect_queue.ts";
import type { ConnectError } from "../../lib/net/connector.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const CLIENTS = 40;

/** A socket that nothing accepts from, and a queue of clients for it. */
class FullSocket implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly #address = unixAddress(this.#directory.at("full.sock"));
  readonly reactor = new Reactor();
  readonly queue = new ConnectQueue(this.reactor);
  readonly socket = unixSocket();
  readonly cancels: (() => void)[] = [];
  /** How often each client has asked the socket. */
  readonly attempts: number[] = [];
  readonly connected: number[] = [];
  readonly errors: ConnectError[] = [];
  readonly #open: Descriptor[] = [];

  constructor() {
    bind(this.socket, this.#address);
    // A backlog of 0 holds one connection.
    listen(this.socket, 0);
    this.#connect();
  }

  add(timeoutMs: number): void {
    const client = this.attempts.push(0) - 1;
    const attempt = () => {
      this.attempts[client]!++;
      return this.#connect();
    };
    this.cancels.push(this.queue.add(attempt, timeoutMs, {
      onConnected: () => this.connected.push(client),
      onConnectError: (error) => this.errors.push(error),
    }));
  }

  #connect(): Descriptor | number {
    const socket = unixSocket();
    const error = connect(socket, this.#address);
    this.#open.push(socket);
    return error === 0 ? socket : error;
  }

  acceptOne(): void {
    const connection = accept(this.socket);
    if (connection !== null) this.#open.push(connection);
  }

  [Symbol.dispose](): void {
    for (const descriptor of [...this.#open, this.socket]) descriptor.close();
    this.#directory[Symbol.dispose]();
  }
}

Deno.test("a full socket is asked for the first of those who wait, less and less often", () => {
  using full = new FullSocket();
  for (let count = 0; count < CLIENTS; count++) full.add(60_000);
  const start = performance.now();
  while (full.attempts[0]! < 6) full.reactor.turn(5);
  assertEquals(full.attempts.slice(1), new Array(CLIENTS - 1).fill(0));
  // 5 + 10 + 20 + 40 + 80 + 100 ms are the least time for six attempts.
  assert(performance.now() - start > 200, "the attempts do not become rare");
  full.cancels[0]!();
  while (full.connected.length < CLIENTS - 1) {
    full.acceptOne();
    full.reactor.turn(5);
  }
  assertEquals(full.connected, Array.from({ length: CLIENTS - 1 }, (_, index) => index + 1));
  assertEquals([full.queue.size, full.reactor.waiting, full.errors], [0, 0, []]);
});

Deno.test("a client waits no longer than its time, and a socket that is gone refuses all", () => {
  using full = new FullSocket();
  full.add(30);
  full.add(60_000);
  full.add(60_000);
  while (full.errors.length === 0) full.reactor.turn(5);
  assertEquals(full.errors, [{ kind: "timeout" }]);
  full.socket.close();
  while (full.errors.length < 3) full.reactor.turn(5);
  assertEquals(full.errors.map(({ kind }) => kind), ["timeout", "refused", "refused"]);
  assertEquals(full.reactor.waiting, 0);
});
