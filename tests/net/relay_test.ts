/** A relay carries bytes and ends between two connections of any kind. */
import { assert, assertEquals } from "@std/assert";
import {
  expectPattern,
  type Kind,
  pattern,
  randomNumbers,
  RelayHarness,
  type TestPeer,
} from "../support/relay_harness.ts";

const NOTHING_LOST = { brokenEnd: null, unconfirmedIn: 0, unconfirmedOut: 0 };

const KINDS: readonly (readonly [Kind, Kind])[] = [
  ["unix", "unix"],
  ["unix", "tcp"],
  ["tcp", "unix"],
  ["tcp", "tcp"],
  ["sealed", "unix"],
  ["sealed", "tcp"],
  ["unix", "sealed"],
  ["tcp", "sealed"],
  ["sealed", "sealed"],
];

for (const [client, backend] of KINDS) {
  const name = `${client} → ${backend}`;

  Deno.test(`a relay ${name} carries both directions and both ends`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    fixture.client.send("question");
    harness.until(() => fixture.backend.text === "question");
    fixture.backend.send("answer");
    harness.until(() => fixture.client.text === "answer");
    fixture.client.finish();
    harness.until(() => fixture.backend.end === "end");
    // One direction has ended; the other goes on.
    fixture.backend.send(", and more");
    harness.until(() => fixture.client.text === "answer, and more");
    assertEquals(fixture.isClosed, false);
    fixture.backend.finish();
    harness.until(() => fixture.client.end === "end" && fixture.isClosed);
    assertEquals(fixture.outcomes, [{ bytesIn: 8, bytesOut: 16, reason: "end", ...NOTHING_LOST }]);
    assertEquals(harness.reactor.size, 0);
  });

  Deno.test(`a relay ${name} loses nothing when the backend ends first`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    fixture.backend.send("all there is");
    fixture.backend.finish();
    harness.until(() => fixture.client.end === "end");
    assertEquals(fixture.client.text, "all there is");
    fixture.client.send("thanks");
    fixture.client.finish();
    harness.until(() => fixture.backend.end === "end" && fixture.isClosed);
    assertEquals([fixture.backend.text, fixture.outcomes[0]!.reason], ["thanks", "end"]);
  });

  Deno.test(`a relay ${name} passes on data and an end that arrive together`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    for (const [peer, text] of [[fixture.client, "one"], [fixture.backend, "two"]] as const) {
      peer.send(text);
      peer.finish();
    }
    harness.until(() =>
      fixture.isClosed && fixture.client.end !== "open" && fixture.backend.end !== "open"
    );
    assertEquals([fixture.client.text, fixture.backend.text], ["two", "one"]);
    assertEquals([fixture.client.end, fixture.backend.end], ["end", "end"]);
    assertEquals(fixture.outcomes, [{ bytesIn: 3, bytesOut: 3, reason: "end", ...NOTHING_LOST }]);
  });

  Deno.test(`a relay ${name} stops reading while the receiver does not read`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    const total = 24 << 20;
    for (
      const [from, to, seed] of [
        [fixture.client, fixture.backend, 1],
        [fixture.backend, fixture.client, 2],
      ] as const
    ) {
      expectPattern(to, seed);
      for (let at = 0; at < total; at += 1 << 20) from.send(pattern(seed, at, 1 << 20));
      harness.untilIdle([]);
      // The buffers of the kernel and of the relay hold some; the sender still has the rest.
      assert(from.unsent > total / 4, `only ${from.unsent} bytes are held back`);
      harness.until(() => to.received === total, [to]);
      assertEquals(from.unsent, 0);
    }
    fixture.client.finish();
    fixture.backend.finish();
    harness.until(() => fixture.isClosed);
    assertEquals(fixture.outcomes, [{
      bytesIn: total,
      bytesOut: total,
      reason: "end",
      ...NOTHING_LOST,
    }]);
  });

  Deno.test(`a relay ${name} carries both directions at once in pieces of any size`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    const random = randomNumbers(client.length * 7 + backend.length);
    const total = 8 << 20;
    const directions = [[fixture.client, fixture.backend, 3], [
      fixture.backend,
      fixture.client,
      4,
    ]] as const;
    const sent = [0, 0];
    for (const [, to, seed] of directions) expectPattern(to, seed);
    harness.until(() => {
      for (const [index, [from, , seed]] of directions.entries()) {
        if (from.unsent > 1 << 20 || sent[index] === total) continue;
        const length = Math.min(total - sent[index]!, 1 + random(random(2) ? 40 : 200_000));
        from.send(pattern(seed, sent[index]!, length));
        sent[index]! += length;
        if (sent[index] === total) from.finish();
      }
      return fixture.client.end === "end" && fixture.backend.end === "end";
    });
    assertEquals([fixture.client.received, fixture.backend.received], [total, total]);
    harness.until(() => fixture.isClosed);
    assertEquals(fixture.outcomes[0]!.reason, "end");
  });

  Deno.test(`a relay ${name} passes on what arrived before the client closed`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    fixture.client.send("last data");
    fixture.client.close();
    harness.until(() => fixture.backend.end !== "open");
    assertEquals(fixture.backend.text, "last data");
    fixture.backend.finish();
    harness.until(() => fixture.isClosed);
    assertEquals(harness.reactor.size, 0);
    // On a sealed connection an end without FIN is a truncation.
    assertEquals(fixture.outcomes[0]!.reason, client === "sealed" ? "truncated" : "end");
    if (client === "sealed") {
      assertEquals(fixture.backend.end, backend === "unix" ? "end" : fixture.backend.end);
    }
  });

  Deno.test(`a relay ${name} that is aborted reports one outcome and unregisters`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    fixture.client.send(new Uint8Array(4 << 20));
    harness.untilIdle([]);
    fixture.relay.abort("revoked");
    fixture.relay.abort("closed");
    assertEquals(fixture.outcomes.map(({ reason }) => reason), ["revoked"]);
    assertEquals(harness.reactor.size, 0);
    harness.until(() => fixture.client.end !== "open" && fixture.backend.end !== "open");
    assertEquals(fixture.outcomes.length, 1);
  });
}

Deno.test("a relay passes on bytes received, and sends bytes unsent, before it started", () => {
  using harness = new RelayHarness();
  const plain = harness.join("unix", "unix", {
    received: () => new TextEncoder().encode("early "),
    unsent: new TextEncoder().encode("greeting "),
  });
  plain.client.send("late");
  plain.backend.send("answer");
  harness.until(() => plain.client.text.endsWith("answer") && plain.backend.text.endsWith("late"));
  assertEquals([plain.client.text, plain.backend.text], ["greeting answer", "early late"]);
  const sealed = harness.join("sealed", "tcp", { received: (client) => client.seal("early ") });
  sealed.client.send("late");
  sealed.client.finish();
  harness.until(() => sealed.backend.end === "end");
  assertEquals(sealed.backend.text, "early late");
});

Deno.test("bytes received before the relay started may be all of the stream", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("sealed", "unix", {
    received: (client) => client.seal("all of it"),
  });
  fixture.client.finish();
  fixture.backend.finish();
  harness.until(() => fixture.isClosed);
  assertEquals(fixture.backend.text, "all of it");
});

Deno.test("a client that is sending receives the last data of a backend that closes", () => {
  for (const [client, backend] of KINDS) {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    fixture.client.send(new Uint8Array(8 << 20));
    harness.untilIdle([]);
    fixture.backend.send("no, thank you");
    // The backend closes with unread data; its own last data is on the way already.
    harness.until(() => fixture.client.received >= 13, [fixture.client]);
    fixture.backend.close();
    harness.until(() => fixture.isClosed || fixture.client.broken || fixture.client.end !== "open");
    assertEquals(fixture.client.text, "no, thank you", `${client} → ${backend}`);
    fixture.client.close();
    harness.until(() => fixture.isClosed);
  }
});

Deno.test("a Unix client gets an error when the backend stops reading, and still receives", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("unix", "unix");
  fixture.backend.refuse();
  fixture.client.send(new Uint8Array(8 << 20));
  harness.until(() => fixture.client.broken);
  assertEquals(fixture.isClosed, false);
  fixture.backend.send("no more, please");
  fixture.backend.finish();
  harness.until(() => fixture.client.end === "end" && fixture.isClosed);
  assertEquals(fixture.client.text, "no more, please");
});

Deno.test("a client that closes ends a relay whose backend neither reads nor ends", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("unix", "unix");
  fixture.client.send("hello");
  harness.until(() => fixture.backend.text === "hello");
  fixture.client.close();
  // The backend neither reads its end nor ends itself.
  harness.until(() => fixture.isClosed, []);
  assertEquals(fixture.outcomes[0]!.reason, "end");
});

Deno.test("a reset is an error, and is passed on as a reset to a TCP peer", () => {
  for (const client of ["tcp", "sealed"] as const) {
    using harness = new RelayHarness();
    const fixture = harness.join(client, "tcp");
    fixture.client.send("beginning");
    harness.until(() => fixture.backend.text === "beginning");
    fixture.client.reset();
    harness.until(() => fixture.isClosed && fixture.backend.end !== "open");
    assertEquals([fixture.outcomes[0]!.reason, fixture.backend.end], ["error", "reset"]);
  }
});

Deno.test("data and a reset that arrive together are not a clean end", () => {
  // The kernel returns the data, then the error once, then an ordinary end-of-file.
  for (let round = 0; round < 50; round++) {
    using harness = new RelayHarness();
    const fixture = harness.join("tcp", "unix");
    fixture.client.send("beginning");
    // The client has something unread when it closes: that is a reset.
    fixture.backend.send("x");
    harness.until(() => fixture.backend.text === "beginning", [fixture.backend]);
    fixture.client.send("and more");
    fixture.client.reset();
    harness.until(() => fixture.isClosed);
    assertEquals(fixture.outcomes[0]!.reason, "error");
  }
});

for (
  const [what, attack, reason] of [
    ["an end without FIN", (client: TestPeer) => client.close(), "truncated"],
    ["a flipped bit", (client: TestPeer) => {
      const record = client.seal("forged");
      record[9]! ^= 1;
      client.sendRaw(record);
    }, "corrupt"],
    [
      "a record of no length",
      (client: TestPeer) => client.sendRaw(Uint8Array.of(0, 0)),
      "malformed",
    ],
    ["half a record", (client: TestPeer) => {
      client.sendRaw(client.seal("half a record").subarray(0, 9));
      client.close();
    }, "truncated"],
  ] as const
) {
  for (const backend of ["unix", "tcp", "sealed"] as const) {
    Deno.test(`${what} in sealed data ends a relay to ${backend}, after the data before it`, () => {
      using harness = new RelayHarness();
      const fixture = harness.join("sealed", backend);
      fixture.client.send("genuine");
      harness.until(() => fixture.backend.text === "genuine");
      attack(fixture.client);
      harness.until(() => fixture.isClosed && fixture.backend.end !== "open");
      assertEquals([fixture.outcomes[0]!.reason, fixture.backend.text], [reason, "genuine"]);
      if (backend !== "unix") assertEquals(fixture.backend.end === "end", false);
    });
  }
}

Deno.test("data decrypted before a malformed record is passed on to a slow reader", () => {
  // More than a socket buffers, less than one read: some data waits at the malformed record.
  for (let total = 200_000; total < 260_000; total += 2_000) {
    using harness = new RelayHarness();
    const fixture = harness.join("sealed", "unix");
    expectPattern(fixture.backend, 5);
    fixture.client.send(pattern(5, 0, total));
    fixture.client.sendRaw(Uint8Array.of(0, 0));
    harness.untilIdle([]);
    // What the slow reader sends meanwhile does not change what it receives.
    fixture.backend.send("wait");
    harness.untilIdle([]);
    harness.until(() => fixture.isClosed && fixture.backend.end !== "open");
    assertEquals([fixture.outcomes[0]!.reason, fixture.backend.received], ["malformed", total]);
  }
});

Deno.test("TCP: the last answer arrives although the client is still sending", () => {
  for (let round = 0; round < 5; round++) {
    using harness = new RelayHarness();
    const fixture = harness.join("tcp", "unix");
    fixture.client.send(new Uint8Array(16 << 20));
    fixture.backend.send("413 too large");
    fixture.backend.refuse();
    fixture.backend.finish();
    // The client sends all of it before it reads.
    harness.untilIdle([]);
    assertEquals([fixture.client.broken, fixture.client.unsent], [false, 0]);
    harness.until(() => fixture.client.end !== "open", [fixture.client]);
    assertEquals([fixture.client.text, fixture.client.end], ["413 too large", "end"]);
    fixture.client.finish();
    harness.until(() => fixture.isClosed);
  }
});

Deno.test("a client that never ends its side does not keep a relay open", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("tcp", "tcp");
  fixture.backend.send("goodbye");
  fixture.backend.finish();
  harness.until(() => fixture.client.end === "end");
  fixture.backend.reset();
  // The client neither ends nor reads on: the relay has no peer left.
  fixture.client.send("hello?");
  harness.until(() => fixture.isClosed);
});

Deno.test("a slow reader gets all that was sent before the backend reset the connection", () => {
  using harness = new RelayHarness();
  // Only FIN ends a sealed backend, so a reset of one is no end of its stream.
  const cases = KINDS.filter(([, backend]) => backend !== "sealed").map(([client, backend]) => {
    const fixture = harness.join(client, backend);
    const total = backend === "unix" ? 280_000 : 2_000_000;
    expectPattern(fixture.client, 5);
    // The backend never reads it, so its close is a reset.
    fixture.client.send("unread");
    harness.untilIdle([]);
    for (let at = 0; at < total; at += 1000) fixture.backend.send(pattern(5, at, 1000));
    harness.until(() => fixture.backend.unsent === 0 || fixture.client.unsent > 0, []);
    fixture.backend.close();
    return { client, backend, fixture, total };
  });
  // Longer than any time limit of a relay; the clients do not read in this time.
  const later = performance.now() + 2_500;
  harness.until(() => performance.now() > later, []);
  for (const { client, backend, fixture, total } of cases) {
    const name = `${client} → ${backend}`;
    harness.until(() => fixture.client.end !== "open" && fixture.isClosed, [fixture.client]);
    // The kernel of a TCP backend discards what it has not sent yet.
    const expected = backend === "unix" ? total : fixture.outcomes[0]!.bytesOut;
    assertEquals([fixture.client.received, expected > 0], [expected, true], name);
    const { reason, brokenEnd } = fixture.outcomes[0]!;
    assertEquals([reason, brokenEnd], ["error", "second"], name);
    if (client === "tcp") assertEquals(fixture.client.end, "reset", name);
    if (client === "sealed") assertEquals(fixture.client.end, "refused", name);
  }
});

Deno.test("a read cut short by urgent data does not stop the relay from reading on", () => {
  for (const [client, backend] of [["tcp", "unix"], ["tcp", "tcp"], ["tcp", "sealed"]] as const) {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    harness.untilIdle();
    fixture.client.send("before");
    fixture.client.sendUrgent("!");
    fixture.client.send(", and behind");
    // No other event follows that would make the relay read again.
    harness.until(() => fixture.backend.text.endsWith(", and behind"), [fixture.backend]);
    fixture.client.finish();
    fixture.backend.finish();
    harness.until(() => fixture.isClosed);
  }
});

Deno.test("a relay with much data does not delay the others", () => {
  using harness = new RelayHarness();
  const bulk = harness.join("unix", "unix");
  const small = harness.join("unix", "unix");
  bulk.backend.onData = () => {};
  for (let chunk = 0; chunk < 64; chunk++) bulk.client.send(new Uint8Array(1 << 20));
  let turns = 0;
  small.client.send("small");
  harness.until(() => {
    turns++;
    return small.backend.text === "small";
  });
  assert(turns <= 10, `it took ${turns} turns`);
});

Deno.test("a relay that waits gets no events", () => {
  for (const [client, backend] of KINDS) {
    using harness = new RelayHarness();
    const fixture = harness.join(client, backend);
    // The reader does not read, and the sender has ended: no further event is due.
    fixture.client.send(new Uint8Array(8 << 20));
    fixture.client.finish();
    harness.untilIdle([]);
    let events = 0;
    const dispatch = fixture.relay.onEvents.bind(fixture.relay);
    fixture.relay.onEvents = (end, mask) => {
      events++;
      dispatch(end, mask);
    };
    for (let turn = 0; turn < 50; turn++) harness.reactor.turn(0);
    assertEquals(events, 0, `${client} → ${backend}`);
  }
});

Deno.test("a client that still sends gets all of a long answer, however slowly it reads", () => {
  using harness = new RelayHarness();
  const total = 3_000_000;
  const fixtures = (["tcp", "sealed"] as const).map((client) => {
    const fixture = harness.join(client, "unix");
    expectPattern(fixture.client, 6);
    for (let at = 0; at < total; at += 100_000) fixture.backend.send(pattern(6, at, 100_000));
    fixture.backend.finish();
    fixture.backend.refuse();
    fixture.client.send("and more");
    return fixture;
  });
  harness.until(() => fixtures.every(({ backend }) => backend.unsent === 0), []);
  fixtures.forEach(({ backend }) => backend.close());
  // Longer than input is discarded after everything has arrived; the clients read nothing.
  const later = performance.now() + 2_500;
  harness.until(() => performance.now() > later, []);
  for (const fixture of fixtures) fixture.client.send("and still more");
  harness.until(() => fixtures.every(({ client, isClosed }) => client.end !== "open" && isClosed));
  for (const { client, outcomes } of fixtures) {
    assertEquals([client.received, client.end], [total, "end"]);
    const { reason, bytesOut, unconfirmedOut } = outcomes[0]!;
    assertEquals([reason, bytesOut, unconfirmedOut], ["end", total, 0]);
  }
});

Deno.test("a relay that is aborted says how many bytes no peer has confirmed", () => {
  using harness = new RelayHarness();
  const fixtures = KINDS.map(([client, backend]) => {
    const fixture = harness.join(client, backend);
    fixture.backend.send(new Uint8Array(8 << 20));
    return fixture;
  });
  harness.untilIdle([]);
  for (const { relay, outcomes, client } of fixtures) {
    relay.abort("revoked");
    const { bytesOut, unconfirmedOut, unconfirmedIn } = outcomes[0]!;
    while (client.read());
    assert(unconfirmedOut > 0 && client.received < bytesOut, `${unconfirmedOut} of ${bytesOut}`);
    assertEquals(unconfirmedIn, 0);
  }
});

Deno.test("a byte behind a sealed FIN ends the connection, whenever it comes", () => {
  for (const when of ["with it", "later", "at the end"] as const) {
    using harness = new RelayHarness();
    const fixture = harness.join("sealed", "unix");
    fixture.client.send("all");
    harness.until(() => fixture.backend.text === "all");
    if (when === "at the end") fixture.backend.finish();
    fixture.client.sendFin();
    if (when === "later") harness.until(() => fixture.backend.end === "end");
    if (when === "at the end") harness.until(() => fixture.client.end === "end");
    assertEquals(fixture.isClosed, false);
    fixture.client.sendRaw(Uint8Array.of(0));
    harness.until(() => fixture.isClosed);
    assertEquals([fixture.outcomes[0]!.reason, fixture.backend.text], ["unexpected", "all"], when);
  }
});

Deno.test("a sealed client that is cut does not keep a relay to a backend that never reads", () => {
  using harness = new RelayHarness(200);
  const fixture = harness.join("sealed", "unix");
  fixture.client.send(new Uint8Array(2 << 20));
  harness.untilIdle([]);
  fixture.client.reset();
  harness.until(() => fixture.isClosed, []);
  const { unconfirmedIn } = fixture.outcomes[0]!;
  assert(unconfirmedIn > 0, "bytes were lost, and are not reported");
});

Deno.test("last bytes may be taken late, and their loss is an error", () => {
  for (const how of ["reads", "resets", "takes nothing"] as const) {
    // As long as the peer may take nothing, in milliseconds.
    using harness = new RelayHarness(how === "takes nothing" ? 200 : 60_000);
    const fixture = harness.join("tcp", "unix");
    fixture.backend.send(new Uint8Array(1 << 20));
    harness.until(() => fixture.backend.unsent === 0, []);
    fixture.backend.finish();
    fixture.client.finish();
    // The backend's stream ends at once, whatever the client takes.
    harness.until(() => fixture.backend.end === "end", [fixture.backend]);
    assertEquals(fixture.isClosed, false, how);
    if (how === "resets") fixture.client.reset();
    harness.until(() => fixture.isClosed, how === "reads" ? [fixture.client] : []);
    const { reason, unconfirmedOut } = fixture.outcomes[0]!;
    assertEquals([reason, unconfirmedOut > 0], how === "reads" ? ["end", false] : ["error", true]);
    if (how === "reads") assertEquals(fixture.client.received, 1 << 20);
  }
});

Deno.test("a Unix peer with bytes that a cut relay has not read gets an error behind its data", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("sealed", "unix");
  fixture.client.send("genuine");
  harness.until(() => fixture.backend.text === "genuine");
  // More than the client takes: the relay leaves the rest in its socket.
  fixture.backend.send(new Uint8Array(32 << 20));
  harness.untilIdle([]);
  fixture.client.reset();
  harness.until(() => fixture.isClosed && fixture.backend.end !== "open");
  assertEquals(fixture.backend.end, "reset");
});

Deno.test("a relay reports that the client's stream was cut, unless it had ended before", () => {
  // A program and most backends are behind a Unix socket, which cannot tell them itself.
  for (const client of ["unix", "tcp", "sealed"] as const) {
    using harness = new RelayHarness();
    const [cut, complete] = [harness.join(client, "unix"), harness.join(client, "unix")];
    for (const { client } of [cut, complete]) client.send("data");
    complete.client.finish();
    harness.until(() => cut.backend.text === "data" && complete.backend.end === "end");
    const kept = harness.join(client, "unix");
    kept.client.send(new Uint8Array(1 << 20));
    kept.client.finish();
    harness.untilIdle([]);
    for (const { relay } of [cut, complete, kept]) relay.abort("error");
    const cuts = [cut, complete, kept].map((one) => one.cuts);
    assertEquals(cuts, [["error"], [], ["error"]], client);
  }
});

Deno.test("a relay whose last check fails is closed, and the error is reported", () => {
  const errors: unknown[] = [];
  using harness = new RelayHarness(undefined, (error) => errors.push(error));
  const fixture = harness.join("sealed", "unix");
  // Both directions have ended, and end-of-file of the connection is waited for.
  fixture.backend.finish();
  fixture.client.sendFin();
  harness.until(() => fixture.backend.end === "end" && fixture.client.end === "end");
  assertEquals(fixture.isClosed, false);
  fixture.owned[0].close();
  harness.until(() => fixture.isClosed, []);
  assertEquals(fixture.outcomes.map(({ reason }) => reason), ["error"]);
  assertEquals([errors.length > 0, harness.reactor.waiting], [true, 0]);
});
