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
  singleBytes,
} from "../support/conversation.ts";

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function assertFails(events: readonly ServerEvent[], error: ProtocolError): void {
  assertEquals(only(events, "failed").error, error);
}

/** A server that waits for HELLO, and the ciphers of its client. */
function beforeHello(): { server: ServerHandshake; client: Transport } {
  const server = new ServerHandshake(keys(KEY));
  const prologue = preamble(keyId(KEY));
  const noise = new HandshakeState({ initiator: true, prologue, psk: KEY });
  const sent = server.push(joined(prologue, Uint8Array.of(0, 48), write(noise)));
  read(noise, only(sent, "send").bytes.subarray(2));
  return { server, client: noise.split() };
}

/** The events of a server whose client's first record has this type and body. */
function eventsAfter(type: number, body: Uint8Array): readonly ServerEvent[] {
  const { server, client } = beforeHello();
  const out = new Uint8Array(19 + body.length);
  sealRecord(client.send, type as RecordType, body, out, 0);
  return server.push(out);
}

Deno.test("a client is authenticated by HELLO", () => {
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

Deno.test("a delayed lookup is asked again, and the handshake goes on", () => {
  let delays = 2;
  const server = new ServerHandshake((id) => delays-- > 0 ? { wait: 7 } : keys(KEY)(id));
  const client = new ClientHandshake(KEY, HELLO);
  // The bytes lie in memory that is used again meanwhile.
  const chunk = new Uint8Array(client.start());
  assertEquals(only(server.push(chunk), "delayed").wait, 7);
  chunk.fill(0);
  assertThrows(() => server.push(chunk), Error, "was not resumed");
  only(server.resume(), "delayed");
  const answer = only(server.resume(), "send");
  assertThrows(() => server.resume(), Error, "was not delayed");
  only(server.push(only(client.push(answer.bytes), "send").bytes), "hello");
});

Deno.test("a delayed handshake with an unknown or a wrong key fails as any other", () => {
  for (const known of [keys(), () => OTHER_KEY]) {
    let delays = 1;
    const server = new ServerHandshake((id) => delays-- > 0 ? { wait: 1 } : known(id));
    only(server.push(new ClientHandshake(KEY, HELLO).start()), "delayed");
    assertFails(server.resume(), "bad-key");
  }
});

Deno.test("a server knows the claimed key id, and whether message 1 has opened", () => {
  const { client, server, opening, hello } = handshaken();
  const fresh = new ServerHandshake(keys(KEY));
  assertEquals([fresh.claimedKeyId, fresh.hasOpened], [null, false]);
  fresh.push(opening.subarray(0, 16));
  assertEquals([fresh.claimedKeyId, fresh.hasOpened], [keyId(KEY), false]);
  assertEquals(server.hasOpened, true);
  only(server.push(hello), "hello");
  // Nothing may follow HELLO before it is answered, which is no fault of the client's.
  assertThrows(() => server.push(Uint8Array.of(0)), Error, "after its end");
  only(client.push(server.accept({ user: "bob", service: "s" }).bytes), "accepted");
  assertEquals([server.claimedKeyId, server.hasOpened], [keyId(KEY), false]);
  const failed = handshaken().server;
  failed.end();
  assertEquals(failed.hasOpened, false);
  const delayed = new ServerHandshake(() => ({ wait: 1 }));
  only(delayed.push(opening), "delayed");
  delayed.wipe();
  assertThrows(() => delayed.resume(), Error, "was not delayed");
});

Deno.test("reject() sends the reason and ends the handshake", () => {
  const { server, client, hello } = handshaken();
  only(server.push(hello), "hello");
  assertEquals(only(client.push(server.reject("user-denied")), "rejected").reason, "user-denied");
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
  assertThrows(() => server.push(hello), Error, "after its end");
});

Deno.test("accept() and reject() throw before HELLO, and after an answer", () => {
  const { server, hello } = handshaken();
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
  assertThrows(() => server.reject("user-denied"), Error, "before it was known");
  only(server.push(hello), "hello");
  server.accept({ user: "bob", service: "s" });
  assertThrows(() => server.accept({ user: "bob", service: "s" }), Error, "before it was known");
});

Deno.test("an unknown key id and a wrong key cause the same event, without a byte", () => {
  const unknown = new ServerHandshake(keys(KEY));
  const wrong = new ServerHandshake(() => KEY);
  for (const server of [unknown, wrong]) {
    const events = server.push(new ClientHandshake(OTHER_KEY, HELLO).start());
    assertEquals(events, [{ kind: "failed", error: "bad-key", keyId: keyId(OTHER_KEY) }]);
  }
});

Deno.test("an unknown key id fails only when message 1 is complete", () => {
  const opening = new ClientHandshake(OTHER_KEY, HELLO).start();
  for (const lookup of [keys(KEY), () => KEY]) {
    const server = new ServerHandshake(lookup);
    for (const byte of singleBytes(opening.subarray(0, -1))) assertEquals(server.push(byte), []);
    assertFails(server.push(opening.subarray(-1)), "bad-key");
  }
});

Deno.test("push() throws when the lookup throws, and the handshake is over", () => {
  const server = new ServerHandshake(() => {
    throw new Error("the keys are gone");
  });
  const opening = new ClientHandshake(KEY, HELLO).start();
  assertThrows(() => server.push(opening), Error, "the keys are gone");
  assertThrows(() => server.push(opening), Error, "after its end");
});

Deno.test("the preamble and message 1 with any bit flipped fail without a byte", () => {
  const { opening } = handshaken();
  for (let bit = 0; bit < opening.length * 8; bit++) {
    const server = new ServerHandshake(keys(KEY));
    const forged = flipped(opening, bit);
    const events = server.push(forged);
    assertEquals(events.map((event) => event.kind), ["failed"], `bit ${bit}`);
    assertThrows(() => server.push(opening), Error, "after its end");
  }
});

Deno.test("HELLO with any bit flipped fails without a byte", () => {
  for (let bit = 0; bit < handshaken().hello.length * 8; bit++) {
    const { server, hello } = handshaken();
    const events = server.push(flipped(hello, bit));
    // A larger length leaves the server waiting for bytes that do not come.
    if (events.length === 0) assertEquals(server.end().kind, "failed");
    else assertEquals(events.map((event) => event.kind), ["failed"], `bit ${bit}`);
    assertThrows(() => server.push(hello), Error, "after its end");
  }
});

Deno.test("end-of-file after any byte of the client is truncated", () => {
  const { opening, hello } = handshaken();
  for (let length = 0; length < opening.length; length++) {
    const server = new ServerHandshake(keys(KEY));
    assertEquals(server.push(opening.subarray(0, length)), []);
    assertFails([server.end()], "truncated");
  }
  for (let length = 0; length < hello.length; length++) {
    const { server, hello } = handshaken();
    assertEquals(server.push(hello.subarray(0, length)), []);
    assertFails([server.end()], "truncated");
    assertThrows(() => server.end(), Error, "after its end");
  }
});

Deno.test("a replay of a recorded client fails at HELLO", () => {
  const { opening, hello } = handshaken();
  const replayed = new ServerHandshake(keys(KEY));
  only(replayed.push(opening), "send");
  assertFails(replayed.push(hello), "bad-key");
  const atOnce = new ServerHandshake(keys(KEY)).push(joined(opening, hello));
  assertEquals(atOnce.map((event) => event.kind), ["send", "failed"]);
});

Deno.test("the server's own bytes, sent back to it, fail", () => {
  const { server, opening, answer } = handshaken();
  assertFails(new ServerHandshake(keys(KEY)).push(answer), "malformed");
  const reflected = joined(opening.subarray(0, 16), answer);
  assertFails(new ServerHandshake(keys(KEY)).push(reflected), "bad-key");
  // Message 2 again, where HELLO is due.
  assertFails(server.push(answer), "bad-key");
});

Deno.test("another protocol fails at its eighth byte", () => {
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
      { kind: "failed", error: "malformed", keyId: null },
    ]);
  }
});

Deno.test("another length than that of message 1 fails as soon as it is read", () => {
  const start = preamble(keyId(KEY));
  for (
    const [length, error] of [
      [0, "malformed"],
      [47, "malformed"],
      [49, "oversized"],
      [65535, "oversized"],
    ] as const
  ) {
    const server = new ServerHandshake(keys(KEY));
    assertFails(
      server.push(joined(start, Uint8Array.of(length >> 8, length & 255))),
      error,
    );
  }
});

Deno.test("a HELLO of more than 4 KiB fails as soon as its length is read", () => {
  for (const length of [0, 1, 16]) {
    assertFails(handshaken().server.push(Uint8Array.of(0, length)), "malformed");
  }
  for (const length of [4095, 4096, 65535]) {
    const header = Uint8Array.of(length >> 8, length & 255);
    assertFails(handshaken().server.push(header), "oversized");
  }
  assertEquals(handshaken().server.push(Uint8Array.of(4094 >> 8, 4094 & 255)), []);
});

Deno.test("the client's first record must be HELLO", () => {
  const hello = json({ client: "test/1" });
  only(eventsAfter(RecordType.hello, hello), "hello");
  for (const type of [RecordType.data, RecordType.fin, RecordType.accept, RecordType.reject]) {
    assertFails(eventsAfter(type, hello), "unexpected");
  }
  for (const type of [5, 127, 255]) assertFails(eventsAfter(type, hello), "malformed");
});

Deno.test("a HELLO with other members is malformed", () => {
  for (const body of [{}, { client: 1 }, { client: "a", user: null }, { client: "a", more: "b" }]) {
    assertFails(eventsAfter(RecordType.hello, json(body)), "malformed");
  }
  assertFails(eventsAfter(RecordType.hello, new Uint8Array(0)), "malformed");
});

Deno.test("a public key of low order in message 1 fails without a byte", () => {
  const prologue = preamble(keyId(KEY));
  const zero = Object.create(KeyPair.generate(), { publicKey: { value: new Uint8Array(32) } });
  const noise = new HandshakeState({ initiator: true, prologue, psk: KEY, ephemeral: zero });
  const server = new ServerHandshake(keys(KEY));
  assertFails(
    server.push(joined(prologue, Uint8Array.of(0, 48), write(noise))),
    "malformed",
  );
});

Deno.test("the bytes after HELLO in the same chunk belong to the channel", () => {
  const { server, client } = beforeHello();
  const body = json({ client: "test/1" });
  const out = new Uint8Array(19 + body.length + 19 + 4);
  const length = sealRecord(client.send, RecordType.hello, body, out, 0);
  sealRecord(client.send, RecordType.data, new TextEncoder().encode("ping"), out, length);
  const { rest } = only(server.push(out), "hello");
  const { channel } = server.accept({ user: "bob", service: "s" });
  assertEquals(new TextDecoder().decode(open(channel, rest).bytes), "ping");
});

Deno.test("a wiped handshake is over", () => {
  const { server, hello } = handshaken();
  server.wipe();
  assertThrows(() => server.push(hello), Error, "after its end");
});

Deno.test("the server does not change the keys of its lookup", () => {
  const before = new Uint8Array(KEY);
  const { client, server } = connected();
  assertEquals(open(server, data(client, Uint8Array.of(1))).error, null);
  client.wipe();
  server.wipe();
  assert(KEY.every((byte, index) => byte === before[index]));
});

Deno.test("random bytes fail, however they are cut", () => {
  for (let round = 0; round < 200; round++) {
    const random = crypto.getRandomValues(new Uint8Array(300));
    const lead = joined(preamble(keyId(KEY)), Uint8Array.of(0, 48));
    for (const bytes of [random, joined(lead, random)]) {
      const server = new ServerHandshake(keys(KEY));
      const kinds: string[] = [];
      for (let at = 0; at < bytes.length && kinds.length === 0;) {
        const step = 1 + (random[at % 300]! % 40);
        kinds.push(...server.push(bytes.subarray(at, at + step)).map((event) => event.kind));
        at += step;
      }
      assertEquals(kinds, ["failed"]);
    }
  }
});
