import { assert, assertEquals } from "@std/assert";
import {
  expectFrom,
  type Kind,
  numbers,
  pattern,
  type Person,
  Stage,
} from "../support/relay_harness.ts";

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

  Deno.test(`a relay ${name} carries both directions, and both ends`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    joint.client.say("question");
    stage.until(() => joint.backend.text === "question");
    joint.backend.say("answer");
    stage.until(() => joint.client.text === "answer");
    joint.client.finish();
    stage.until(() => joint.backend.end === "end");
    // Half of it is over; the other half goes on.
    joint.backend.say(", and more");
    stage.until(() => joint.client.text === "answer, and more");
    assertEquals(joint.over, false);
    joint.backend.finish();
    stage.until(() => joint.client.end === "end" && joint.over);
    assertEquals(joint.outcomes, [{ bytesIn: 8, bytesOut: 16, reason: "end", brokenEnd: null }]);
    assertEquals(stage.reactor.size, 0);
  });

  Deno.test(`a relay ${name} loses nothing when the backend ends first`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    joint.backend.say("all there is");
    joint.backend.finish();
    stage.until(() => joint.client.end === "end");
    assertEquals(joint.client.text, "all there is");
    joint.client.say("thanks");
    joint.client.finish();
    stage.until(() => joint.backend.end === "end" && joint.over);
    assertEquals([joint.backend.text, joint.outcomes[0]!.reason], ["thanks", "end"]);
  });

  Deno.test(`a relay ${name} passes on data and end that come at once`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    for (const [person, words] of [[joint.client, "one"], [joint.backend, "two"]] as const) {
      person.say(words);
      person.finish();
    }
    stage.until(() => joint.over && joint.client.end !== "open" && joint.backend.end !== "open");
    assertEquals([joint.client.text, joint.backend.text], ["two", "one"]);
    assertEquals([joint.client.end, joint.backend.end], ["end", "end"]);
    assertEquals(joint.outcomes, [{ bytesIn: 3, bytesOut: 3, reason: "end", brokenEnd: null }]);
  });

  Deno.test(`a relay ${name} holds the sender back while the reader does not read`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    const total = 24 << 20;
    for (
      const [from, to, seed] of [
        [joint.client, joint.backend, 1],
        [joint.backend, joint.client, 2],
      ] as const
    ) {
      expectFrom(to, seed);
      for (let at = 0; at < total; at += 1 << 20) from.say(pattern(seed, at, 1 << 20));
      stage.rest([]);
      // The kernel's buffers and ours hold some; the sender has the rest.
      assert(from.unsent > total / 4, `only ${from.unsent} bytes are held back`);
      stage.until(() => to.received === total, [to]);
      assertEquals(from.unsent, 0);
    }
    joint.client.finish();
    joint.backend.finish();
    stage.until(() => joint.over);
    assertEquals(joint.outcomes, [{
      bytesIn: total,
      bytesOut: total,
      reason: "end",
      brokenEnd: null,
    }]);
  });

  Deno.test(`a relay ${name} carries both directions at once in pieces of any size`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    const random = numbers(client.length * 7 + backend.length);
    const total = 8 << 20;
    const people = [[joint.client, joint.backend, 3], [joint.backend, joint.client, 4]] as const;
    const sent = [0, 0];
    for (const [, to, seed] of people) expectFrom(to, seed);
    stage.until(() => {
      for (const [index, [from, , seed]] of people.entries()) {
        if (from.unsent > 1 << 20 || sent[index] === total) continue;
        const length = Math.min(total - sent[index]!, 1 + random(random(2) ? 40 : 200_000));
        from.say(pattern(seed, sent[index]!, length));
        sent[index]! += length;
        if (sent[index] === total) from.finish();
      }
      return joint.client.end === "end" && joint.backend.end === "end";
    });
    assertEquals([joint.client.received, joint.backend.received], [total, total]);
    stage.until(() => joint.over);
    assertEquals(joint.outcomes[0]!.reason, "end");
  });

  Deno.test(`a relay ${name} passes on what came before the client went away`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    joint.client.say("last words");
    joint.client.close();
    stage.until(() => joint.backend.end !== "open");
    assertEquals(joint.backend.text, "last words");
    joint.backend.finish();
    stage.until(() => joint.over);
    assertEquals(stage.reactor.size, 0);
    // Behind a seal an end that nobody has announced is none.
    assertEquals(joint.outcomes[0]!.reason, client === "sealed" ? "truncated" : "end");
    if (client === "sealed") {
      assertEquals(joint.backend.end, backend === "unix" ? "end" : joint.backend.end);
    }
  });

  Deno.test(`a relay ${name} that is aborted is over once, and nothing of it is left`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    joint.client.say(new Uint8Array(4 << 20));
    stage.rest([]);
    joint.relay.abort("revoked");
    joint.relay.abort("closed");
    assertEquals(joint.outcomes.map(({ reason }) => reason), ["revoked"]);
    assertEquals(stage.reactor.size, 0);
    stage.until(() => joint.client.end !== "open" && joint.backend.end !== "open");
    assertEquals(joint.outcomes.length, 1);
  });
}

Deno.test("a relay passes on what was received before it, and sends what was unsent before it", () => {
  using stage = new Stage();
  const plain = stage.join("unix", "unix", {
    received: () => new TextEncoder().encode("early "),
    unsent: new TextEncoder().encode("greeting "),
  });
  plain.client.say("late");
  plain.backend.say("answer");
  stage.until(() => plain.client.text.endsWith("answer") && plain.backend.text.endsWith("late"));
  assertEquals([plain.client.text, plain.backend.text], ["greeting answer", "early late"]);
  const sealed = stage.join("sealed", "tcp", { received: (client) => client.seal("early ") });
  sealed.client.say("late");
  sealed.client.finish();
  stage.until(() => sealed.backend.end === "end");
  assertEquals(sealed.backend.text, "early late");
});

Deno.test("what was received before the relay may hold the end, too", () => {
  using stage = new Stage();
  const joint = stage.join("sealed", "unix", {
    received: (client) => client.seal("all of it"),
  });
  joint.client.finish();
  joint.backend.finish();
  stage.until(() => joint.over);
  assertEquals(joint.backend.text, "all of it");
});

Deno.test("a backend that goes away while the client sends has its last words heard", () => {
  for (const [client, backend] of KINDS) {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    joint.client.say(new Uint8Array(8 << 20));
    stage.rest([]);
    joint.backend.say("no, thank you");
    // A backend that leaves unread data behind; its last words are on their way already.
    stage.until(() => joint.client.received >= 13, [joint.client]);
    joint.backend.close();
    stage.until(() => joint.over || joint.client.broken || joint.client.end !== "open");
    assertEquals(joint.client.text, "no, thank you", `${client} → ${backend}`);
    joint.client.close();
    stage.until(() => joint.over);
  }
});

Deno.test("a client on a Unix socket learns that nobody takes what it sends, and hears the rest", () => {
  using stage = new Stage();
  const joint = stage.join("unix", "unix");
  joint.backend.refuse();
  joint.client.say(new Uint8Array(8 << 20));
  stage.until(() => joint.client.broken);
  assertEquals(joint.over, false);
  joint.backend.say("I have heard enough");
  joint.backend.finish();
  stage.until(() => joint.client.end === "end" && joint.over);
  assertEquals(joint.client.text, "I have heard enough");
});

Deno.test("a client that went away ends a relay, although the backend minds nothing", () => {
  using stage = new Stage();
  const joint = stage.join("unix", "unix");
  joint.client.say("hello");
  stage.until(() => joint.backend.text === "hello");
  joint.client.close();
  // The backend neither reads its end nor ends itself.
  stage.until(() => joint.over, []);
  assertEquals(joint.outcomes[0]!.reason, "end");
});

Deno.test("a reset is an error, and no clean end for the other side where it can be told", () => {
  for (const client of ["tcp", "sealed"] as const) {
    using stage = new Stage();
    const joint = stage.join(client, "tcp");
    joint.client.say("beginning");
    stage.until(() => joint.backend.text === "beginning");
    joint.client.reset();
    stage.until(() => joint.over && joint.backend.end !== "open");
    assertEquals([joint.outcomes[0]!.reason, joint.backend.end], ["error", "reset"]);
  }
});

Deno.test("data and a reset that come at once are no clean end, either", () => {
  // The kernel hands out the data, then the error once, then an end as if nothing had been.
  for (let round = 0; round < 50; round++) {
    using stage = new Stage();
    const joint = stage.join("tcp", "unix");
    joint.client.say("beginning");
    // The client has something unread when it closes: that is a reset.
    joint.backend.say("x");
    stage.until(() => joint.backend.text === "beginning", [joint.backend]);
    joint.client.say("and more");
    joint.client.reset();
    stage.until(() => joint.over);
    assertEquals(joint.outcomes[0]!.reason, "error");
  }
});

for (
  const [what, attack, reason] of [
    ["an end without FIN", (client: Person) => client.close(), "truncated"],
    ["a flipped bit", (client: Person) => {
      const record = client.seal("forged");
      record[9]! ^= 1;
      client.sayRaw(record);
    }, "corrupt"],
    ["a record of no length", (client: Person) => client.sayRaw(Uint8Array.of(0, 0)), "malformed"],
    ["half a record", (client: Person) => {
      client.sayRaw(client.seal("half of it").subarray(0, 9));
      client.close();
    }, "truncated"],
  ] as const
) {
  for (const backend of ["unix", "tcp", "sealed"] as const) {
    Deno.test(`${what} behind a seal ends a relay to ${backend}, and what came before arrives`, () => {
      using stage = new Stage();
      const joint = stage.join("sealed", backend);
      joint.client.say("genuine");
      stage.until(() => joint.backend.text === "genuine");
      attack(joint.client);
      stage.until(() => joint.over && joint.backend.end !== "open");
      assertEquals([joint.outcomes[0]!.reason, joint.backend.text], [reason, "genuine"]);
      if (backend !== "unix") assertEquals(joint.backend.end === "end", false);
    });
  }
}

Deno.test("what a seal has opened before it refused is passed on to a slow reader", () => {
  // More than a socket holds and less than is read at once: some of it waits when the refusal comes.
  for (let total = 200_000; total < 260_000; total += 2_000) {
    using stage = new Stage();
    const joint = stage.join("sealed", "unix");
    expectFrom(joint.backend, 5);
    joint.client.say(pattern(5, 0, total));
    joint.client.sayRaw(Uint8Array.of(0, 0));
    stage.rest([]);
    // Whatever the slow reader says meanwhile, it gets what was meant for it.
    joint.backend.say("wait");
    stage.rest([]);
    stage.until(() => joint.over && joint.backend.end !== "open");
    assertEquals([joint.outcomes[0]!.reason, joint.backend.received], ["malformed", total]);
  }
});

Deno.test("TCP: the last answer arrives although the client is still sending", () => {
  for (let round = 0; round < 5; round++) {
    using stage = new Stage();
    const joint = stage.join("tcp", "unix");
    joint.client.say(new Uint8Array(16 << 20));
    joint.backend.say("413 too large");
    joint.backend.refuse();
    joint.backend.finish();
    // The client sends all of it before it listens.
    stage.rest([]);
    assertEquals([joint.client.broken, joint.client.unsent], [false, 0]);
    stage.until(() => joint.client.end !== "open", [joint.client]);
    assertEquals([joint.client.text, joint.client.end], ["413 too large", "end"]);
    joint.client.finish();
    stage.until(() => joint.over);
  }
});

Deno.test("a client that never ends does not keep a relay for ever", () => {
  using stage = new Stage();
  const joint = stage.join("tcp", "tcp");
  joint.backend.say("goodbye");
  joint.backend.finish();
  stage.until(() => joint.client.end === "end");
  joint.backend.reset();
  // The client neither ends nor reads on: the relay has nobody left to talk to.
  joint.client.say("hello?");
  stage.until(() => joint.over);
});

for (const [client, backend] of KINDS) {
  // Behind a seal there is no such end: a backend that only a FIN may end has not ended (and says why).
  if (backend === "sealed") continue;
  Deno.test(`a slow reader gets all of what was said before the other broke off: ${client} → ${backend}`, () => {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    const total = backend === "unix" ? 280_000 : 2_000_000;
    expectFrom(joint.client, 5);
    // The backend never reads it, so its close is a reset.
    joint.client.say("unread");
    stage.rest([]);
    for (let at = 0; at < total; at += 1000) joint.backend.say(pattern(5, at, 1000));
    stage.until(() => joint.backend.unsent === 0 || joint.client.unsent > 0, []);
    joint.backend.close();
    // Longer than anything else here is waited for, and not read all the while.
    const later = performance.now() + 2_500;
    stage.until(() => performance.now() > later, []);
    stage.until(() => joint.client.end !== "open" && joint.over);
    // A TCP backend's own kernel throws away what it has not sent yet.
    const said = backend === "unix" ? total : joint.outcomes[0]!.bytesOut;
    assertEquals([joint.client.received, said > 0], [said, true]);
    assertEquals([joint.outcomes[0]!.reason, joint.outcomes[0]!.brokenEnd], ["error", "second"]);
    if (client === "tcp") assertEquals(joint.client.end, "reset");
    if (client === "sealed") assertEquals(joint.client.end, "refused");
  });
}

Deno.test("a read that urgent data has cut short is no sign that nothing follows", () => {
  for (const [client, backend] of [["tcp", "unix"], ["tcp", "tcp"], ["tcp", "sealed"]] as const) {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    stage.rest();
    joint.client.say("before");
    joint.client.sayUrgently("!");
    joint.client.say(", and behind");
    // Nothing else happens that would wake anybody up.
    stage.until(() => joint.backend.text.endsWith(", and behind"), [joint.backend]);
    joint.client.finish();
    joint.backend.finish();
    stage.until(() => joint.over);
  }
});

Deno.test("one that carries very much does not keep the others waiting", () => {
  using stage = new Stage();
  const bulk = stage.join("unix", "unix");
  const small = stage.join("unix", "unix");
  bulk.backend.onData = () => {};
  for (let chunk = 0; chunk < 64; chunk++) bulk.client.say(new Uint8Array(1 << 20));
  let turns = 0;
  small.client.say("excuse me");
  stage.until(() => {
    turns++;
    return small.backend.text === "excuse me";
  });
  assert(turns <= 10, `it took ${turns} turns`);
});

Deno.test("a relay that waits does not spin", () => {
  for (const [client, backend] of KINDS) {
    using stage = new Stage();
    const joint = stage.join(client, backend);
    // The reader does not read, and the sender has ended: everything that can be told has been.
    joint.client.say(new Uint8Array(8 << 20));
    joint.client.finish();
    stage.rest([]);
    let events = 0;
    const dispatch = joint.relay.onEvents.bind(joint.relay);
    joint.relay.onEvents = (end, mask) => {
      events++;
      dispatch(end, mask);
    };
    for (let turn = 0; turn < 50; turn++) stage.reactor.turn(0);
    assertEquals(events, 0, `${client} → ${backend}`);
  }
});
