import { assertEquals, assertThrows } from "@std/assert";
import { Channel, sealedLength } from "../../lib/protocol/channel.ts";
import { MAX_BODY_BYTES, RecordType, sealRecord } from "../../lib/protocol/records.ts";
import type { ProtocolError } from "../../lib/protocol/protocol_error.ts";
import { CipherState } from "../../lib/noise/cipher_state.ts";
import { Nonce } from "../../lib/noise/nonce.ts";
import { NoiseError } from "../../lib/noise/noise_error.ts";
import { connected as noiseConnected } from "../support/noise_vectors.ts";
import {
  connected,
  data,
  fin,
  flipped,
  joined,
  open,
  singleBytes,
} from "../support/conversation.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65536)));
  }
  return bytes;
}

function assertOver(channel: Channel): void {
  const buffer = new Uint8Array(64);
  for (
    const use of [
      () => channel.open(buffer.subarray(0, 1), buffer),
      () => channel.end(),
      () => channel.sealData(ascii("x"), buffer),
      () => channel.sealFin(buffer),
    ]
  ) assertThrows(use, Error, "after its end");
}

function assertFails(channel: Channel, chunk: Uint8Array, error: ProtocolError): void {
  assertEquals(open(channel, chunk).error, error);
  assertOver(channel);
}

/** A channel, and a record of this type and body for it. */
function channelAndRecord(
  type: number,
  body: Uint8Array,
): { channel: Channel; record: Uint8Array } {
  const { initiator, responder } = noiseConnected();
  const record = new Uint8Array(19 + body.length);
  sealRecord(initiator.send, type as RecordType, body, record, 0);
  return { channel: new Channel(responder.send, responder.receive), record };
}

Deno.test("data of any length passes in both directions, in as few records as hold it", () => {
  for (
    const length of [
      1,
      2,
      100,
      MAX_BODY_BYTES - 1,
      MAX_BODY_BYTES,
      MAX_BODY_BYTES + 1,
      3 * MAX_BODY_BYTES + 7,
    ]
  ) {
    const { client, server } = connected();
    const bytes = randomBytes(length);
    const there = data(client, bytes);
    assertEquals(there.length, length + 19 * Math.ceil(length / MAX_BODY_BYTES));
    assertEquals(open(server, there).bytes, bytes);
    assertEquals(open(client, data(server, bytes)).bytes, bytes);
  }
});

Deno.test("a channel writes at any place of a buffer, and says how much", () => {
  const { client, server } = connected();
  const bytes = randomBytes(MAX_BODY_BYTES + 5);
  const there = new Uint8Array(7 + client.sealedLength(bytes.length) + 19);
  // One byte of space too few is refused, and uses no nonce.
  assertThrows(() => client.sealData(bytes, there.subarray(0, there.length - 20), 7), RangeError);
  const length = client.sealData(bytes, there, 7);
  assertEquals(length, sealedLength(bytes.length));
  assertEquals(client.sealFin(there, 7 + length), 19);
  const out = new Uint8Array(11 + there.length);
  assertThrows(() => server.open(there.subarray(7), out.subarray(0, there.length + 3), 11));
  const half = server.open(there.subarray(7, 12), out, 11);
  assertEquals(half, { length: 0, ended: false, error: null });
  const rest = server.open(there.subarray(12), out, 11);
  assertEquals(rest, { length: bytes.length, ended: true, error: null });
  assertEquals(out.subarray(11, 11 + bytes.length), bytes);
});

Deno.test("a channel says how much was authentic before an error, at any place", () => {
  const failing: [(channel: Channel) => Uint8Array, ProtocolError][] = [
    [() => Uint8Array.of(0, 0), "malformed"],
    [(channel) => flipped(data(channel, ascii("y")), 30), "corrupt"],
    [(channel) => joined(fin(channel), ascii("y")), "unexpected"],
  ];
  for (const [more, error] of failing) {
    const { client, server } = connected();
    const chunk = joined(data(client, ascii("xyz")), more(client));
    const opened = server.open(chunk, new Uint8Array(chunk.length + 5), 5);
    assertEquals([opened.length, opened.error], [3, error]);
  }
  const { channel, record } = channelAndRecord(9, ascii("x"));
  assertEquals(channel.open(record, new Uint8Array(100), 5).length, 0);
});

Deno.test("sealData() makes no record of empty data", () => {
  const { client } = connected();
  assertEquals([sealedLength(0), client.sealData(new Uint8Array(0), new Uint8Array(0))], [0, 0]);
});

Deno.test("open() returns the same stream however it is cut", () => {
  const { client, server } = connected();
  const parts = [randomBytes(3), randomBytes(MAX_BODY_BYTES), randomBytes(1), randomBytes(70_000)];
  const stream = joined(...parts.map((part) => data(client, part)), fin(client));
  const received: Uint8Array[] = [];
  let ended = false;
  for (let at = 0, step = 1; at < stream.length; at += step, step = (step * 7) % 9973) {
    const result = open(server, stream.subarray(at, at + step));
    assertEquals(result.error, null);
    received.push(new Uint8Array(result.bytes));
    ended = result.ended;
  }
  assertEquals(joined(...received), joined(...parts));
  assertEquals([ended, server.capacityFor(0), server.end()], [true, 0, null]);
});

Deno.test("open() keeps no reference to the chunk", () => {
  const { client, server } = connected();
  const buffer = new Uint8Array(7);
  let received = "";
  for (const part of [data(client, ascii("hello ")), data(client, ascii("world"))]) {
    for (let at = 0; at < part.length; at += buffer.length) {
      const piece = part.subarray(at, at + buffer.length);
      buffer.set(piece);
      received += new TextDecoder().decode(open(server, buffer.subarray(0, piece.length)).bytes);
      buffer.fill(255);
    }
  }
  assertEquals(received, "hello world");
});

Deno.test("one direction can end while the other goes on", () => {
  const { client, server } = connected();
  assertEquals(open(server, fin(client)).ended, true);
  assertEquals(open(client, data(server, ascii("still here"))).bytes, ascii("still here"));
  assertEquals(open(client, fin(server)).ended, true);
  assertEquals([client.end(), server.end()], [null, null]);
});

Deno.test("end-of-file without FIN is truncated, after any byte", () => {
  const { client } = connected();
  const length = joined(data(client, ascii("ping")), fin(client)).length;
  for (let at = 0; at < length; at++) {
    const { client, server } = connected();
    const stream = joined(data(client, ascii("ping")), fin(client));
    assertEquals(open(server, stream.subarray(0, at)).ended, false);
    assertEquals(server.end(), "truncated");
    assertOver(server);
  }
});

Deno.test("open() returns nothing of a record with any bit flipped", () => {
  for (let bit = 0; bit < 23 * 8; bit++) {
    const { client, server } = connected();
    const result = open(server, flipped(data(client, ascii("ping")), bit));
    assertEquals(result.length, 0);
    if (result.error === null) assertEquals(server.end(), "truncated");
    assertOver(server);
  }
});

Deno.test("open() returns the authentic records before a forged one", () => {
  const { client, server } = connected();
  const good = data(client, ascii("good"));
  const { bytes, error } = open(server, joined(good, flipped(data(client, ascii("bad")), 50)));
  assertEquals([new TextDecoder().decode(bytes), error], ["good", "corrupt"]);
  assertOver(server);
});

Deno.test("a record that is repeated, left out, moved or reflected is corrupt", () => {
  const wrong: ((one: Uint8Array, two: Uint8Array) => Uint8Array)[] = [
    (one) => joined(one, one),
    (_, two) => two,
    (one, two) => joined(two, one),
  ];
  for (const order of wrong) {
    const { client, server } = connected();
    const [one, two] = [data(client, ascii("one")), data(client, ascii("two"))];
    assertFails(server, order(one, two), "corrupt");
  }
  const { client } = connected();
  assertFails(client, data(client, ascii("echo")), "corrupt");
  const [here, there] = [connected(), connected()];
  assertFails(there.server, data(here.client, ascii("elsewhere")), "corrupt");
});

Deno.test("no byte may follow FIN, and FIN has no body", () => {
  for (const more of [Uint8Array.of(0), new Uint8Array(19), randomBytes(40)]) {
    const { client, server } = connected();
    assertFails(server, joined(fin(client), more), "unexpected");
    const later = connected();
    open(later.server, fin(later.client));
    assertFails(later.server, more, "unexpected");
  }
  const { channel, record } = channelAndRecord(RecordType.fin, ascii("x"));
  assertFails(channel, record, "malformed");
});

Deno.test("DATA after FIN and a second FIN are unexpected", () => {
  for (const type of [RecordType.data, RecordType.fin]) {
    const { initiator, responder } = noiseConnected();
    const channel = new Channel(responder.send, responder.receive);
    const out = new Uint8Array(38);
    const body = new Uint8Array(0);
    sealRecord(initiator.send, RecordType.fin, body, out, 0);
    sealRecord(initiator.send, type, body, out, 19);
    assertFails(channel, out, "unexpected");
  }
});

Deno.test("a greeting is unexpected in a channel, and an unknown type is malformed", () => {
  for (const type of [RecordType.hello, RecordType.accept, RecordType.reject]) {
    const { channel, record } = channelAndRecord(type, ascii("{}"));
    assertFails(channel, record, "unexpected");
  }
  for (const type of [5, 6, 128, 255]) {
    const { channel, record } = channelAndRecord(type, ascii("{}"));
    assertFails(channel, record, "malformed");
  }
});

Deno.test("a record too short for its type fails as soon as its length is read", () => {
  for (let length = 0; length <= 16; length++) {
    assertFails(connected().server, Uint8Array.of(0, length), "malformed");
  }
});

Deno.test("an empty DATA record is neither the end nor a byte", () => {
  const { channel, record } = channelAndRecord(RecordType.data, new Uint8Array(0));
  assertEquals(open(channel, record), {
    length: 0,
    ended: false,
    error: null,
    bytes: new Uint8Array(0),
  });
});

Deno.test("random bytes are corrupt, however they are cut", () => {
  for (let round = 0; round < 100; round++) {
    const { server } = connected();
    const garbage = joined(Uint8Array.of(0, 17 + round), randomBytes(200));
    let error: ProtocolError | null = null;
    for (const byte of singleBytes(garbage)) {
      error = open(server, byte).error;
      if (error !== null) break;
    }
    assertEquals(error, "corrupt");
    assertOver(server);
  }
});

Deno.test("nothing can be sealed after FIN", () => {
  const { client } = connected();
  fin(client);
  assertThrows(() => client.sealData(ascii("x"), new Uint8Array(64)), Error, "after FIN");
  assertThrows(() => client.sealFin(new Uint8Array(64)), Error, "after FIN");
});

Deno.test("a buffer that is too short is a RangeError, and costs no nonce", () => {
  const { client, server } = connected();
  assertThrows(() => client.sealData(ascii("four"), new Uint8Array(22)), RangeError);
  assertThrows(() => client.sealData(ascii("four"), new Uint8Array(23), 1), RangeError);
  const many = new Uint8Array(MAX_BODY_BYTES + 1);
  assertThrows(() => client.sealData(many, new Uint8Array(65537 + 19)), RangeError);
  const record = data(client, ascii("four"));
  assertThrows(() => server.open(record, new Uint8Array(record.length - 1)), RangeError);
  assertEquals(open(server, record).bytes, ascii("four"));
  assertThrows(() => server.open(new Uint8Array(1), new Uint8Array(1), 1), RangeError);
  assertEquals(open(server, data(client, ascii("next"))).bytes, ascii("next"));
});

Deno.test("a direction ends when its nonces are used", () => {
  const key = new Uint8Array(32).fill(1);
  const cipher = (first: bigint): CipherState => {
    const state = new CipherState();
    state.initializeKey(key, new Nonce(first));
    return state;
  };
  const last = 2n ** 64n - 2n;
  const sender = new Channel(cipher(last), cipher(0n));
  const receiver = new Channel(cipher(0n), cipher(last));
  assertEquals(open(receiver, data(sender, ascii("last"))).bytes, ascii("last"));
  assertThrows(() => data(sender, ascii("one too many")), NoiseError, "exhausted");
  assertFails(receiver, new Uint8Array(19).with(1, 17), "exhausted");
});

Deno.test("a wiped channel is over", () => {
  const { client, server } = connected();
  const record = data(client, ascii("late"));
  server.wipe();
  assertThrows(() => open(server, record), Error, "after its end");
  assertOver(server);
});
