import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { preamble } from "../../lib/protocol/preamble.ts";
import { RecordType, sealRecord } from "../../lib/protocol/records.ts";
import type { ProtocolError } from "../../lib/protocol/protocol_error.ts";
import { type ServerEvent, ServerHandshake } from "../../lib/protocol/server_handshake.ts";
import { HandshakeState, type Transport } from "../../lib/noise/handshake_state.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";
import { read, write } from "../support/noise_vectors.ts";
import {
  connected,
  crumbs,
  data,
  flipped,
  handshaken,
  HELLO,
  joined,
  KEY,
  keys,
  only,
  open,
  OTHER_KEY,
} from "../support/conversation.ts";

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function assertRefused(events: readonly ServerEvent[], reason: ProtocolError): void {
  assertEquals(only(events, "refused").reason, reason);
}

/** A server and the ciphers of a client that has done the handshake by hand. */
function byHand(): { server: ServerHandshake; client: Transport } {
  const server = new ServerHandshake(keys(KEY));
  const prologue = preamble(keyId(KEY));
  const noise = new HandshakeState({ initiator: true, prologue, psk: KEY });
  const sent = server.push(joined(prologue, Uint8Array.of(0, 48), write(noise)));
  read(noise, only(sent, "send").bytes.subarray(2));
  return { server, client: noise.split() };
}

/** What the server makes of a first record of this type and body. */
function first(type: number, body: Uint8Array): readonly ServerEvent[] {
  const { server, client } = byHand();
  const out = new Uint8Array(19 + body.length);
  sealRecord(client.send, type as RecordType, body, out, 0);
  return server.push(out);
}

Deno.test("a client with the key is known after HELLO, and not before", () => {
  const server = new ServerHandshake(keys(OTHER_KEY, KEY));
  const client = new ClientHandshake(KEY, { client: "test/1", user: "admin" });
  const answer = only(server.push(client.start()), "send");
  const hello = only(client.push(answer.bytes), "send");
  const event = only(server.push(hello.bytes), "hello");
  const rest = new Uint8Array(0);
  assertEquals(event, { kind: "hello", keyId: keyId(KEY), client: "test/1", user: "admin", rest });
  const accepted = only(
    client.push(server.accept({ user: "bob", service: "s" }).bytes),
    "accepted",
  );
  assertEquals([accepted.user, accepted.service], ["bob", "s"]);
});

Deno.test("a client that is known can be told why it is not let in, and that is all", () => {
  const { server, client, hello } = handshaken();
  only(server.push(hello), "hello");
  assertEquals(only(client.push(server.reject("user-denied")), "rejected").reason, "user-denied");
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
  assertThrows(() => server.push(hello), Error, "after its end");
});

Deno.test("nobody is answered before HELLO", () => {
  const { server, hello } = handshaken();
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
  assertThrows(() => server.reject("user-denied"), Error, "before it was known");
  only(server.push(hello), "hello");
  server.accept({ user: "bob", service: "s" });
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
});

Deno.test("an unknown key id and a wrong key are the same: no byte, one reason", () => {
  const unknown = new ServerHandshake(keys(KEY));
  const wrong = new ServerHandshake(() => KEY);
  for (const server of [unknown, wrong]) {
    const events = server.push(new ClientHandshake(OTHER_KEY, HELLO).start());
    assertEquals(events, [{ kind: "refused", reason: "bad-key", keyId: keyId(OTHER_KEY) }]);
  }
});

Deno.test("an unknown key id is not refused before message 1 is complete", () => {
  const opening = new ClientHandshake(OTHER_KEY, HELLO).start();
  for (const lookup of [keys(KEY), () => KEY]) {
    const server = new ServerHandshake(lookup);
    for (const crumb of crumbs(opening.subarray(0, -1))) assertEquals(server.push(crumb), []);
    assertRefused(server.push(opening.subarray(-1)), "bad-key");
  }
});

Deno.test("a look-up that fails lets nobody in", () => {
  const server = new ServerHandshake(() => {
    throw new Error("the keys are gone");
  });
  const opening = new ClientHandshake(KEY, HELLO).start();
  assertThrows(() => server.push(opening), Error, "the keys are gone");
  assertThrows(() => server.push(opening), Error, "after its end");
});

Deno.test("any bit flipped in what the client says before HELLO is refused without a byte", () => {
  const { opening } = handshaken();
  for (let bit = 0; bit < opening.length * 8; bit++) {
    const server = new ServerHandshake(keys(KEY));
    const forged = flipped(opening, bit);
    const events = server.push(forged);
    assertEquals(events.map((event) => event.kind), ["refused"], `bit ${bit}`);
    assertThrows(() => server.push(opening), Error, "after its end");
  }
});

Deno.test("any bit flipped in HELLO is refused without a byte", () => {
  for (let bit = 0; bit < handshaken().hello.length * 8; bit++) {
    const { server, hello } = handshaken();
    const events = server.push(flipped(hello, bit));
    // A larger length leaves the server waiting for bytes that do not come.
    if (events.length === 0) assertEquals(server.end().kind, "refused");
    else assertEquals(events.map((event) => event.kind), ["refused"], `bit ${bit}`);
    assertThrows(() => server.push(hello), Error, "after its end");
  }
});

Deno.test("end-of-file at any byte of the client's side is a truncation", () => {
  const { opening, hello } = handshaken();
  for (let length = 0; length < opening.length; length++) {
    const server = new ServerHandshake(keys(KEY));
    assertEquals(server.push(opening.subarray(0, length)), []);
    assertRefused([server.end()], "truncated");
  }
  for (let length = 0; length < hello.length; length++) {
    const { server, hello } = handshaken();
    assertEquals(server.push(hello.subarray(0, length)), []);
    assertRefused([server.end()], "truncated");
    assertThrows(() => server.end(), Error, "after its end");
  }
});

Deno.test("a recorded client, played to a new server, fails at HELLO", () => {
  const { opening, hello } = handshaken();
  const replayed = new ServerHandshake(keys(KEY));
  only(replayed.push(opening), "send");
  assertRefused(replayed.push(hello), "bad-key");
  const atOnce = new ServerHandshake(keys(KEY)).push(joined(opening, hello));
  assertEquals(atOnce.map((event) => event.kind), ["send", "refused"]);
});

Deno.test("what the server said is not what a client says", () => {
  const { server, opening, answer } = handshaken();
  assertRefused(new ServerHandshake(keys(KEY)).push(answer), "malformed");
  const reflected = joined(opening.subarray(0, 16), answer);
  assertRefused(new ServerHandshake(keys(KEY)).push(reflected), "bad-key");
  // Message 2 again, where HELLO is due.
  assertRefused(server.push(answer), "bad-key");
});

Deno.test("what is not this protocol is refused at its eighth byte", () => {
  for (
    const text of [
      "GET / HT",
      "SSH-2.0-",
      "IPCAUTH2",
      "ipcauth1",
      "\x16\x03\x01\x02\x00\x01\x00\x01",
    ]
  ) {
    const server = new ServerHandshake(keys(KEY));
    const bytes = new TextEncoder().encode(text);
    assertEquals(server.push(bytes.subarray(0, 7)), []);
    assertEquals(server.push(bytes.subarray(7)), [
      { kind: "refused", reason: "malformed", keyId: null },
    ]);
  }
});

Deno.test("message 1 has one length, and another is refused as soon as it is read", () => {
  const start = preamble(keyId(KEY));
  for (
    const [length, reason] of [
      [0, "malformed"],
      [47, "malformed"],
      [49, "oversized"],
      [65535, "oversized"],
    ] as const
  ) {
    const server = new ServerHandshake(keys(KEY));
    assertRefused(
      server.push(joined(start, Uint8Array.of(length >> 8, length & 255))),
      reason,
    );
  }
});

Deno.test("HELLO is bounded: a length beyond 4 KiB is refused as soon as it is read", () => {
  for (const length of [0, 1, 16]) {
    assertRefused(handshaken().server.push(Uint8Array.of(0, length)), "malformed");
  }
  for (const length of [4095, 4096, 65535]) {
    const header = Uint8Array.of(length >> 8, length & 255);
    assertRefused(handshaken().server.push(header), "oversized");
  }
  assertEquals(handshaken().server.push(Uint8Array.of(4094 >> 8, 4094 & 255)), []);
});

Deno.test("the first record is HELLO and nothing else", () => {
  const hello = json({ client: "test/1" });
  only(first(RecordType.hello, hello), "hello");
  for (const type of [RecordType.data, RecordType.fin, RecordType.accept, RecordType.reject]) {
    assertRefused(first(type, hello), "unexpected");
  }
  for (const type of [5, 127, 255]) assertRefused(first(type, hello), "malformed");
});

Deno.test("a HELLO that says something else than it may is refused", () => {
  for (const body of [{}, { client: 1 }, { client: "a", user: null }, { client: "a", more: "b" }]) {
    assertRefused(first(RecordType.hello, json(body)), "malformed");
  }
  assertRefused(first(RecordType.hello, new Uint8Array(0)), "malformed");
});

Deno.test("a public key of low order in message 1 is refused without a byte", () => {
  const prologue = preamble(keyId(KEY));
  const zero = Object.create(KeyPair.generate(), { publicKey: { value: new Uint8Array(32) } });
  const noise = new HandshakeState({ initiator: true, prologue, psk: KEY, ephemeral: zero });
  const server = new ServerHandshake(keys(KEY));
  assertRefused(
    server.push(joined(prologue, Uint8Array.of(0, 48), write(noise))),
    "malformed",
  );
});

Deno.test("what follows HELLO in the same chunk belongs to the channel", () => {
  const { server, client } = byHand();
  const body = json({ client: "test/1" });
  const out = new Uint8Array(19 + body.length + 19 + 4);
  const length = sealRecord(client.send, RecordType.hello, body, out, 0);
  sealRecord(client.send, RecordType.data, new TextEncoder().encode("ping"), out, length);
  const { rest } = only(server.push(out), "hello");
  const { channel } = server.accept({ user: "bob", service: "s" });
  assertEquals(new TextDecoder().decode(open(channel, rest).bytes), "ping");
});

Deno.test("a handshake that was given up lets nobody in", () => {
  const { server, hello } = handshaken();
  server.wipe();
  assertThrows(() => server.push(hello), Error, "after its end");
});

Deno.test("the server does not change the keys it is lent", () => {
  const before = new Uint8Array(KEY);
  const { client, server } = connected();
  assertEquals(open(server, data(client, Uint8Array.of(1))).refusal, null);
  client.wipe();
  server.wipe();
  assert(KEY.every((byte, index) => byte === before[index]));
});

Deno.test("garbage is refused, whatever it is and however it is cut", () => {
  for (let round = 0; round < 200; round++) {
    const garbage = crypto.getRandomValues(new Uint8Array(300));
    const lead = joined(preamble(keyId(KEY)), Uint8Array.of(0, 48));
    for (const bytes of [garbage, joined(lead, garbage)]) {
      const server = new ServerHandshake(keys(KEY));
      const kinds: string[] = [];
      for (let at = 0; at < bytes.length && kinds.length === 0;) {
        const step = 1 + (garbage[at % 300]! % 40);
        kinds.push(...server.push(bytes.subarray(at, at + step)).map((event) => event.kind));
        at += step;
      }
      assertEquals(kinds, ["refused"]);
    }
  }
});
