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

function assertRefused(events: readonly ClientEvent[], reason: ProtocolError): void {
  assertEquals(only(events, "refused").reason, reason);
}

/** A client that waits for the answer, and the ciphers of a server that has done the rest by hand. */
function byHand(): { client: ClientHandshake; server: Transport } {
  const client = new ClientHandshake(KEY, HELLO);
  const prologue = preamble(keyId(KEY));
  const noise = new HandshakeState({ initiator: false, prologue, psk: KEY });
  read(noise, client.start().subarray(18));
  only(client.push(joined(Uint8Array.of(0, 48), write(noise))), "send");
  return { client, server: noise.split() };
}

/** What the client makes of an answer of this type and body. */
function answered(type: number, body: Uint8Array): readonly ClientEvent[] {
  const { client, server } = byHand();
  const out = new Uint8Array(19 + body.length);
  sealRecord(server.send, type as RecordType, body, out, 0);
  return client.push(out);
}

Deno.test("a client says its preamble and message 1 at once, and nothing of the key", () => {
  const opening = new ClientHandshake(KEY, HELLO).start();
  assertEquals(opening.length, 66);
  assertEquals(opening.subarray(0, 16), preamble(keyId(KEY)));
});

Deno.test("HELLO is not sent before the server has proved that it holds the key", () => {
  const client = new ClientHandshake(KEY, HELLO);
  const prologue = preamble(keyId(KEY));
  const impostor = new HandshakeState({ initiator: true, prologue, psk: OTHER_KEY });
  client.start();
  assertRefused(client.push(joined(Uint8Array.of(0, 48), write(impostor))), "bad-key");
});

Deno.test("any bit flipped in message 2 is refused", () => {
  for (let bit = 0; bit < 50 * 8; bit++) {
    const client = new ClientHandshake(KEY, HELLO);
    const noise = new HandshakeState({
      initiator: false,
      prologue: preamble(keyId(KEY)),
      psk: KEY,
    });
    read(noise, client.start().subarray(18));
    const events = client.push(flipped(joined(Uint8Array.of(0, 48), write(noise)), bit));
    assertEquals(events.map((event) => event.kind), ["refused"], `bit ${bit}`);
    assertThrows(() => client.push(new Uint8Array(50)), Error, "after its end");
  }
});

Deno.test("any bit flipped in ACCEPT is refused", () => {
  const body = json({ user: "bob", service: "s" });
  for (let bit = 0; bit < (19 + body.length) * 8; bit++) {
    const { client, server } = byHand();
    const out = new Uint8Array(19 + body.length);
    sealRecord(server.send, RecordType.accept, body, out, 0);
    const events = client.push(flipped(out, bit));
    if (events.length === 0) assertRefused([client.end()], "truncated");
    else assertEquals(events.map((event) => event.kind), ["refused"], `bit ${bit}`);
  }
});

Deno.test("a server that closes without a byte does not know the key", () => {
  const client = new ClientHandshake(KEY, HELLO);
  client.start();
  assertRefused([client.end()], "bad-key");
});

Deno.test("end-of-file anywhere later is a truncation", () => {
  for (let length = 1; length < 50; length++) {
    const client = new ClientHandshake(KEY, HELLO);
    client.start();
    assertEquals(client.push(Uint8Array.of(0, 48, ...new Uint8Array(48)).subarray(0, length)), []);
    assertRefused([client.end()], "truncated");
  }
  const body = json({ user: "bob", service: "s" });
  for (let length = 0; length < 19 + body.length; length++) {
    const { client, server } = byHand();
    const out = new Uint8Array(19 + body.length);
    sealRecord(server.send, RecordType.accept, body, out, 0);
    assertEquals(client.push(out.subarray(0, length)), []);
    assertRefused([client.end()], "truncated");
    assertThrows(() => client.end(), Error, "after its end");
  }
});

Deno.test("what the client said, sent back to it, is refused", () => {
  const opened = new ClientHandshake(KEY, HELLO);
  assertRefused(opened.push(opened.start().subarray(16)), "bad-key");
  const { client, hello } = handshaken();
  assertRefused(client.push(hello), "corrupt");
});

Deno.test("the answer of another connection is refused", () => {
  const { client } = handshaken();
  const other = handshaken();
  only(other.server.push(other.hello), "hello");
  assertRefused(client.push(other.server.accept({ user: "bob", service: "s" }).bytes), "corrupt");
});

Deno.test("lengths out of bounds are refused as soon as they are read", () => {
  for (
    const [length, reason] of [[0, "malformed"], [47, "malformed"], [49, "oversized"]] as const
  ) {
    const client = new ClientHandshake(KEY, HELLO);
    client.start();
    assertRefused(client.push(Uint8Array.of(0, length)), reason);
  }
  assertRefused(byHand().client.push(Uint8Array.of(0, 16)), "malformed");
  assertRefused(byHand().client.push(Uint8Array.of(4095 >> 8, 4095 & 255)), "oversized");
});

Deno.test("the server's first record is ACCEPT or REJECT and nothing else", () => {
  const accept = json({ user: "bob", service: "s" });
  only(answered(RecordType.accept, accept), "accepted");
  only(answered(RecordType.reject, json({ reason: "user-denied" })), "rejected");
  for (const type of [RecordType.data, RecordType.fin, RecordType.hello]) {
    assertRefused(answered(type, accept), "unexpected");
  }
  for (const type of [5, 255]) assertRefused(answered(type, accept), "malformed");
  assertRefused(answered(RecordType.accept, json({ user: "bob" })), "malformed");
  assertRefused(answered(RecordType.reject, json({})), "malformed");
});

Deno.test("a public key of low order in message 2 is refused", () => {
  const client = new ClientHandshake(KEY, HELLO);
  client.start();
  const zero = joined(Uint8Array.of(0, 48), new Uint8Array(48));
  assertRefused(client.push(zero), "malformed");
});

Deno.test("a user that cannot be one is refused before anything is sent, with the way out", () => {
  for (const user of ["", "a\nb", "a\u009b", "\ud800", "x".repeat(256)]) {
    const failure = assertThrows(() => new ClientHandshake(KEY, { client: "a", user }), Failure);
    assertEquals([failure.exit, failure.hint], [64, "ipcauth connect --user NAME"]);
  }
});

Deno.test("a client is started once, and before it listens", () => {
  const client = new ClientHandshake(KEY, HELLO);
  assertThrows(() => client.push(new Uint8Array(1)), Error, "before its start");
  client.start();
  assertThrows(() => client.start(), Error, "started twice");
});

Deno.test("the client does not change its caller's key, nor need it afterwards", () => {
  const key = new Uint8Array(KEY);
  const client = new ClientHandshake(key, HELLO, KeyPair.generate());
  assertEquals(key, KEY);
  key.fill(0);
  const noise = new HandshakeState({ initiator: false, prologue: preamble(keyId(KEY)), psk: KEY });
  read(noise, client.start().subarray(18));
  only(client.push(joined(Uint8Array.of(0, 48), write(noise))), "send");
});
