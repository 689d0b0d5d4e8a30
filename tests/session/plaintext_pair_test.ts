/** The plaintext side of an encrypted connection, with real sockets, ciphers and a real reactor. */
import { assertEquals, assertThrows } from "@std/assert";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { openPlaintextPair } from "../../lib/session/plaintext_pair.ts";
import { Session } from "../../lib/session/session.ts";
import { type ClientConnection, plaintextConnection } from "../../lib/session/service.ts";
import type { Channel } from "../../lib/protocol/channel.ts";
import type { RelayContext } from "../../lib/session/data_plane_context.ts";
import { connected } from "../support/conversation.ts";
import { tcpPair, TestPeer } from "../support/relay_harness.ts";
import { SESSION_FACTS } from "../support/session_facts.ts";

function contextOf(reactor: Reactor): RelayContext {
  return { reactor, buffers: new RelayBuffers() } as RelayContext;
}

function sealed(descriptor: Descriptor, seal: Channel): ClientConnection {
  return { descriptor, kind: "tcp", seal, received: null, unsent: null };
}

/** A session whose encrypted client and whose service are in this process. */
class Fixture {
  readonly reactor = new Reactor();
  readonly ended: unknown[] = [];
  readonly cuts: boolean[] = [];
  readonly session = new Session(1, SESSION_FACTS, (session) => {
    const { reason, bytesIn, bytesOut } = session.closeEvent();
    this.ended.push([reason, bytesIn, bytesOut]);
  });
  readonly #channels = connected();
  readonly #sockets = tcpPair();
  readonly client = new TestPeer(this.#sockets[1], this.#channels.client);
  readonly pair;
  readonly service: TestPeer;

  constructor(idleTimeoutMs?: number) {
    this.pair = openPlaintextPair(
      contextOf(this.reactor),
      this.session,
      sealed(this.#sockets[0], this.#channels.server),
      ...idleTimeoutMs === undefined ? [] : [idleTimeoutMs],
    );
    this.service = new TestPeer(this.pair.descriptor, null);
    this.session.attach({ terminate: (reason) => this.pair.closeClient(reason) });
    this.pair.onCut = () => this.cuts.push(this.service.read());
  }

  until(isMet: () => boolean): void {
    for (let turn = 0; turn < 2_000 && !isMet(); turn++) {
      this.reactor.turn(1);
      while (this.client.read() || this.service.read());
    }
    assertEquals(isMet(), true, String(isMet));
  }

  turns(): void {
    for (let turn = 0; turn < 5; turn++) this.reactor.turn(1);
    while (this.client.read() || this.service.read());
  }

  [Symbol.dispose](): void {
    this.pair.closeClient("closed");
    if (this.client.open) this.client.close();
    if (this.service.open) this.service.close();
    this.reactor.close();
  }
}

Deno.test("the plaintext side of a Unix connection is the connection itself", () => {
  const [descriptor] = tcpPair();
  const session = new Session(1, SESSION_FACTS, () => {});
  const reactor = new Reactor();
  const pair = openPlaintextPair(contextOf(reactor), session, plaintextConnection(descriptor));
  assertEquals([pair.descriptor, pair.onCut, pair.bytes()], [descriptor, null, null]);
  pair.closeClient("revoked");
  assertEquals([descriptor.isOpen, reactor.size], [true, 0]);
  session.end("end");
  assertEquals(session.ended, true);
  descriptor.close();
  reactor.close();
});

Deno.test("a session of an encrypted client lasts until the client has received everything", () => {
  using fixture = new Fixture();
  const { client, service, session, pair, ended, cuts } = fixture;
  client.send("question");
  fixture.until(() => service.text === "question");
  service.send("an answer");
  service.finish();
  // The service has ended, and the client has not.
  session.end("end");
  fixture.until(() => client.end === "end");
  assertEquals([client.text, pair.bytes(), ended], ["an answer", { in: 8, out: 9 }, []]);
  client.finish();
  fixture.until(() => session.ended);
  assertEquals([ended, cuts, fixture.reactor.waiting], [[["end", 8, 9]], [], 0]);
});

Deno.test("what cuts a client's stream is said before it reads as an end", () => {
  using fixture = new Fixture();
  fixture.client.close();
  fixture.until(() => fixture.cuts.length > 0);
  // There was nothing to read by then.
  assertEquals(fixture.cuts, [false]);
  assertEquals(fixture.reactor.size, 0);
  fixture.until(() => fixture.service.end === "end");
  fixture.session.end("end");
  assertEquals(fixture.ended, [["truncated", 0, 0]]);
  using silent = new Fixture();
  silent.pair.onCut = null;
  silent.client.close();
  silent.until(() => silent.service.end === "end");
});

Deno.test("a service that writes to a client that has gone is told so at once", () => {
  using fixture = new Fixture();
  const { client, service } = fixture;
  client.finish();
  fixture.until(() => service.end === "end");
  client.close();
  for (let turn = 0; turn < 200 && !service.broken; turn++) {
    service.send("x");
    fixture.reactor.turn(1);
  }
  assertEquals(service.broken, true);
  fixture.session.end("end");
  assertEquals(fixture.ended.length, 1);
});

Deno.test("a client whose session the server ends has cut nothing", () => {
  using fixture = new Fixture();
  fixture.session.terminate("revoked");
  // At once.
  assertEquals(fixture.reactor.size, 0);
  fixture.until(() => fixture.client.end !== "open");
  fixture.session.end("end");
  assertEquals([fixture.ended, fixture.cuts], [[["revoked", 0, 0]], []]);
});

Deno.test("a client may take what was sent to it for a time, and no longer", () => {
  using fixture = new Fixture();
  const { client, service, session, pair, reactor } = fixture;
  const asked: number[] = [];
  let expire: () => void = () => {};
  const { after } = reactor;
  reactor.after = (ms, run, ...rest) => {
    asked.push(ms);
    expire = run;
    return after.call(reactor, ms, run, ...rest);
  };
  pair.closeClient("shutdown", 60_000);
  reactor.after = after;
  service.send("the last words");
  fixture.until(() => client.text === "the last words");
  assertEquals([asked, client.end], [[60_000], "open"]);
  expire();
  fixture.until(() => client.end !== "open");
  session.end("end");
  assertEquals(fixture.ended, [["shutdown", 0, 14]]);
});

Deno.test("an idle client's session ends, and one without a limit does not", () => {
  const start = performance.now();
  using fixture = new Fixture(60);
  using unlimited = new Fixture();
  assertEquals(fixture.reactor.waiting, unlimited.reactor.waiting + 1);
  fixture.until(() => fixture.client.end !== "open");
  assertEquals(performance.now() - start >= 59, true);
  fixture.session.end("end");
  assertEquals(fixture.ended, [["idle", 0, 0]]);
  // Nothing of a session that has ended before stays.
  using quick = new Fixture(60_000);
  quick.client.finish();
  quick.service.finish();
  quick.session.end("end");
  quick.until(() => quick.session.ended);
  assertEquals([quick.ended, quick.reactor.waiting], [[["end", 0, 0]], 0]);
});

Deno.test("a plaintext side that cannot be made closes the connection, and both of its ends", () => {
  const closed = new Set<Descriptor>();
  const { close } = Descriptor.prototype;
  const { Int32Array } = globalThis;
  /** In place of the memory that `socketpair(2)` fills. */
  class NoMemory {
    constructor() {
      throw new Error("no memory");
    }
  }
  Descriptor.prototype.close = function () {
    closed.add(this);
    close.call(this);
  };
  try {
    for (const [cause, count] of [["socketpair", 1], ["reactor", 3]] as const) {
      const reactor = new Reactor();
      if (cause === "reactor") reactor.close();
      const [near, far] = tcpPair();
      const { client, server } = connected();
      const session = new Session(2, SESSION_FACTS, () => {});
      if (cause === "socketpair") Object.assign(globalThis, { Int32Array: NoMemory });
      closed.clear();
      assertThrows(
        () => openPlaintextPair(contextOf(reactor), session, sealed(near, server)),
        Error,
        cause === "socketpair" ? "no memory" : "",
      );
      assertEquals([near.isOpen, closed.size], [false, count]);
      const peer = new TestPeer(far, client);
      while (peer.end === "open") peer.read();
      peer.close();
      // The session rests on nothing that has failed.
      session.end("error");
      assertEquals(session.ended, true);
      Object.assign(globalThis, { Int32Array });
      reactor.close();
    }
  } finally {
    Object.assign(globalThis, { Int32Array });
    Descriptor.prototype.close = close;
  }
});
