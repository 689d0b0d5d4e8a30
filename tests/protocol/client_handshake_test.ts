import { assertEquals, assertThrows } from "@std/assert";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { preamble } from "../../lib/protocol/preamble.ts";
import { RecordType, sealRecord } from "../../lib/protocol/records.ts";
import type { ProtocolError } from "../../lib/protocol/protocol_error.ts";
import { Failure } from "../../lib/errors.ts";
import { HandshakeState, type Transport } from "../../lib/noise/handshake_state.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";
import { read, write } from "../support/noise_vectors.ts";
import {
  flipped,
  handshaken,
  HELLO,
  joined,
  KEY,
  only,
  OTHER_KEY,
} from "../support/conversation.ts";

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function assertFails(events: readonly ClientEvent[], error: ProtocolError): void {
  assertEquals(only(events, "failed").error, error);
}

/** A client that has sent HELLO, and the ciphers of its server. */
function afterHello(): { client: ClientHandshake; server: Transport } {
  const client = new ClientHandshake(KEY, HELLO);
  const prologue = preamble(keyId(KEY));
  const noise = new HandshakeState({ initiator: false, prologue, psk: KEY });
  read(noise, client.start().subarray(18));
  only(client.push(joined(Uint8Array.of(0, 48), write(noise))), "send");
  return { client, server: noise.split() };
}

/** The events of a client whose server answers with this type and body. */
function eventsAfter(type: number, body: Uint8Array): readonly ClientEvent[] {
  const { client, server } = afterHello();
  const out = new Uint8Array(19 + body.length);
  sealRecord(server.send, type as RecordType, body, out, 0);
  return client.push(out);
}

Deno.test("start() returns the preamble and message 1, 66 bytes", () => {
  const opening = new ClientHandshake(KEY, HELLO).start();
  assertEquals(opening.length, 66);
  assertEquals(opening.subarray(0, 16), preamble(keyId(KEY)));
});

Deno.test("an empty chunk is no byte of the server's: its key was refused", () => {
  const client = new ClientHandshake(KEY, HELLO);
  client.start();
  assertEquals(client.push(new Uint8Array(0)), []);
  assertEquals(client.end(), { kind: "failed", error: "bad-key" });
});

Deno.test("HELLO is not sent before the server has proved that it holds the key", () => {
  const client = new ClientHandshake(KEY, HELLO);
  const prologue = preamble(keyId(KEY));
  const impostor = new HandshakeState({ initiator: true, prologue, psk: OTHER_KEY });
  client.start();
  assertFails(client.push(joined(Uint8Array.of(0, 48), write(impostor))), "bad-key");
});

Deno.test("message 2 with any bit flipped fails", () => {
  for (let bit = 0; bit < 50 * 8; bit++) {
    const client = new ClientHandshake(KEY, HELLO);
    const noise = new HandshakeState({
      initiator: false,
      prologue: preamble(keyId(KEY)),
      psk: KEY,
    });
    read(noise, client.start().subarray(18));
    const events = client.push(flipped(joined(Uint8Array.of(0, 48), write(noise)), bit));
    assertEquals(events.map((event) => event.kind), ["failed"], `bit ${bit}`);
    assertThrows(() => client.push(new Uint8Array(50)), Error, "after its end");
  }
});

Deno.test("ACCEPT with any bit flipped fails", () => {
  const body = json({ user: "bob", service: "s" });
  for (let bit = 0; bit < (19 + body.length) * 8; bit++) {
    const { client, server } = afterHello();
    const out = new Uint8Array(19 + body.length);
    sealRecord(server.send, RecordType.accept, body, out, 0);
    const events = client.push(flipped(out, bit));
    if (events.length === 0) assertFails([client.end()], "truncated");
    else assertEquals(events.map((event) => event.kind), ["failed"], `bit ${bit}`);
  }
});

Deno.test("end-of-file without a byte is bad-key", () => {
  const client = new ClientHandshake(KEY, HELLO);
  client.start();
  assertFails([client.end()], "bad-key");
});

Deno.test("end-of-file after any later byte is truncated", () => {
  for (let length = 1; length < 50; length++) {
    const client = new ClientHandshake(KEY, HELLO);
    client.start();
    assertEquals(client.push(Uint8Array.of(0, 48, ...new Uint8Array(48)).subarray(0, length)), []);
    assertFails([client.end()], "truncated");
  }
  const body = json({ user: "bob", service: "s" });
  for (let length = 0; length < 19 + body.length; length++) {
    const { client, server } = afterHello();
    const out = new Uint8Array(19 + body.length);
    sealRecord(server.send, RecordType.accept, body, out, 0);
    assertEquals(client.push(out.subarray(0, length)), []);
    assertFails([client.end()], "truncated");
    assertThrows(() => client.end(), Error, "after its end");
  }
});

Deno.test("the client's own bytes, sent back to it, fail", () => {
  const reflected = new ClientHandshake(KEY, HELLO);
  assertFails(reflected.push(reflected.start().subarray(16)), "bad-key");
  const { client, hello } = handshaken();
  assertFails(client.push(hello), "corrupt");
});

Deno.test("the answer of another connection is corrupt", () => {
  const { client } = handshaken();
  const other = handshaken();
  only(other.server.push(other.hello), "hello");
  assertFails(client.push(other.server.accept({ user: "bob", service: "s" }).bytes), "corrupt");
});

Deno.test("a length out of bounds fails as soon as it is read", () => {
  for (
    const [length, error] of [[0, "malformed"], [47, "malformed"], [49, "oversized"]] as const
  ) {
    const client = new ClientHandshake(KEY, HELLO);
    client.start();
    assertFails(client.push(Uint8Array.of(0, length)), error);
  }
  assertFails(afterHello().client.push(Uint8Array.of(0, 16)), "malformed");
  assertFails(afterHello().client.push(Uint8Array.of(4095 >> 8, 4095 & 255)), "oversized");
});

Deno.test("the server's first record must be ACCEPT or REJECT", () => {
  const accept = json({ user: "bob", service: "s" });
  only(eventsAfter(RecordType.accept, accept), "accepted");
  only(eventsAfter(RecordType.reject, json({ reason: "user-denied" })), "rejected");
  for (const type of [RecordType.data, RecordType.fin, RecordType.hello]) {
    assertFails(eventsAfter(type, accept), "unexpected");
  }
  for (const type of [5, 255]) assertFails(eventsAfter(type, accept), "malformed");
  assertFails(eventsAfter(RecordType.accept, json({ user: "bob" })), "malformed");
  assertFails(eventsAfter(RecordType.reject, json({})), "malformed");
});

Deno.test("a public key of low order in message 2 is malformed", () => {
  const client = new ClientHandshake(KEY, HELLO);
  client.start();
  const zero = joined(Uint8Array.of(0, 48), new Uint8Array(48));
  assertFails(client.push(zero), "malformed");
});

Deno.test("a user name that may not be sent is a usage error with a hint", () => {
  for (const user of ["", "a\nb", "a\u009b", "\ud800", "x".repeat(256)]) {
    const failure = assertThrows(() => new ClientHandshake(KEY, { client: "a", user }), Failure);
    assertEquals([failure.exit, failure.hint], [64, "ipcauth connect --user NAME"]);
  }
});

Deno.test("a client is started once, and before it takes bytes", () => {
  const client = new ClientHandshake(KEY, HELLO);
  assertThrows(() => client.push(new Uint8Array(1)), Error, "before its start");
  client.start();
  assertThrows(() => client.start(), Error, "started twice");
});

Deno.test("the client neither changes nor keeps the caller's key", () => {
  const key = new Uint8Array(KEY);
  const client = new ClientHandshake(key, HELLO, KeyPair.generate());
  assertEquals(key, KEY);
  key.fill(0);
  const noise = new HandshakeState({ initiator: false, prologue: preamble(keyId(KEY)), psk: KEY });
  read(noise, client.start().subarray(18));
  only(client.push(joined(Uint8Array.of(0, 48), write(noise))), "send");
});
