import { assertEquals, assertThrows } from "@std/assert";
import { Channel, sealedLength } from "../../lib/protocol/channel.ts";
import { MAX_BODY, RecordType, sealRecord } from "../../lib/protocol/records.ts";
import type { ProtocolError } from "../../lib/protocol/protocol_error.ts";
import { CipherState } from "../../lib/noise/cipher_state.ts";
import { Nonce } from "../../lib/noise/nonce.ts";
import { NoiseFailure } from "../../lib/noise/noise_failure.ts";
import { connected as noiseConnected } from "../support/noise_vectors.ts";
import { connected, crumbs, data, fin, flipped, joined, open } from "../support/conversation.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65536)));
  }
  return bytes;
}

function assertOver(channel: Channel): void {
  const room = new Uint8Array(64);
  for (
    const use of [
      () => channel.open(room.subarray(0, 1), room),
      () => channel.end(),
      () => channel.sealData(ascii("x"), room),
      () => channel.sealFin(room),
    ]
  ) assertThrows(use, Error, "after its end");
}

function assertRefused(channel: Channel, chunk: Uint8Array, reason: ProtocolError): void {
  assertEquals(open(channel, chunk).refusal, reason);
  assertOver(channel);
}

/** What a channel makes of a record of this type and body, sealed by hand. */
function opened(type: number, body: Uint8Array): { channel: Channel; record: Uint8Array } {
  const { initiator, responder } = noiseConnected();
  const record = new Uint8Array(19 + body.length);
  sealRecord(initiator.send, type as RecordType, body, record, 0);
  return { channel: new Channel(responder.send, responder.receive), record };
}

Deno.test("bytes of any length pass both ways, in as few records as hold them", () => {
  for (const length of [1, 2, 100, MAX_BODY - 1, MAX_BODY, MAX_BODY + 1, 3 * MAX_BODY + 7]) {
    const { client, server } = connected();
    const bytes = noise(length);
    const there = data(client, bytes);
    assertEquals(there.length, length + 19 * Math.ceil(length / MAX_BODY));
    assertEquals(open(server, there).bytes, bytes);
    assertEquals(open(client, data(server, bytes)).bytes, bytes);
  }
});

Deno.test("nothing to send is no record", () => {
  const { client } = connected();
  assertEquals([sealedLength(0), client.sealData(new Uint8Array(0), new Uint8Array(0))], [0, 0]);
});

Deno.test("a stream cut anywhere is the same stream, and nothing is held back between records", () => {
  const { client, server } = connected();
  const parts = [noise(3), noise(MAX_BODY), noise(1), noise(70_000)];
  const stream = joined(...parts.map((part) => data(client, part)), fin(client));
  const heard: Uint8Array[] = [];
  let ended = false;
  for (let at = 0, step = 1; at < stream.length; at += step, step = (step * 7) % 9973) {
    const result = open(server, stream.subarray(at, at + step));
    assertEquals(result.refusal, null);
    heard.push(new Uint8Array(result.bytes));
    ended = result.ended;
  }
  assertEquals(joined(...heard), joined(...parts));
  assertEquals([ended, server.roomFor(0), server.end()], [true, 0, null]);
});

Deno.test("the memory of a chunk is free to be used again at once", () => {
  const { client, server } = connected();
  const buffer = new Uint8Array(7);
  let heard = "";
  for (const part of [data(client, ascii("hello ")), data(client, ascii("world"))]) {
    for (let at = 0; at < part.length; at += buffer.length) {
      const piece = part.subarray(at, at + buffer.length);
      buffer.set(piece);
      heard += new TextDecoder().decode(open(server, buffer.subarray(0, piece.length)).bytes);
      buffer.fill(255);
    }
  }
  assertEquals(heard, "hello world");
});

Deno.test("one side can end while the other goes on", () => {
  const { client, server } = connected();
  assertEquals(open(server, fin(client)).ended, true);
  assertEquals(open(client, data(server, ascii("still here"))).bytes, ascii("still here"));
  assertEquals(open(client, fin(server)).ended, true);
  assertEquals([client.end(), server.end()], [null, null]);
});

Deno.test("end-of-file without FIN is a truncation, at every byte", () => {
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

Deno.test("any bit flipped is refused, and nothing of the record comes out", () => {
  for (let bit = 0; bit < 23 * 8; bit++) {
    const { client, server } = connected();
    const result = open(server, flipped(data(client, ascii("ping")), bit));
    assertEquals(result.length, 0);
    if (result.refusal === null) assertEquals(server.end(), "truncated");
    assertOver(server);
  }
});

Deno.test("what was authentic before the forgery is still told", () => {
  const { client, server } = connected();
  const good = data(client, ascii("good"));
  const { bytes, refusal } = open(server, joined(good, flipped(data(client, ascii("bad")), 50)));
  assertEquals([new TextDecoder().decode(bytes), refusal], ["good", "corrupt"]);
  assertOver(server);
});

Deno.test("records repeated, left out, swapped or sent back are refused", () => {
  const wrong: ((one: Uint8Array, two: Uint8Array) => Uint8Array)[] = [
    (one) => joined(one, one),
    (_, two) => two,
    (one, two) => joined(two, one),
  ];
  for (const order of wrong) {
    const { client, server } = connected();
    const [one, two] = [data(client, ascii("one")), data(client, ascii("two"))];
    assertRefused(server, order(one, two), "corrupt");
  }
  const { client } = connected();
  assertRefused(client, data(client, ascii("echo")), "corrupt");
  const [here, there] = [connected(), connected()];
  assertRefused(there.server, data(here.client, ascii("elsewhere")), "corrupt");
});

Deno.test("FIN is the last word: nothing may follow it, and it has no body", () => {
  for (const more of [Uint8Array.of(0), new Uint8Array(19), noise(40)]) {
    const { client, server } = connected();
    assertRefused(server, joined(fin(client), more), "unexpected");
    const later = connected();
    open(later.server, fin(later.client));
    assertRefused(later.server, more, "unexpected");
  }
  const { channel, record } = opened(RecordType.fin, ascii("x"));
  assertRefused(channel, record, "malformed");
});

Deno.test("DATA after FIN, and a second FIN, are refused", () => {
  for (const type of [RecordType.data, RecordType.fin]) {
    const { initiator, responder } = noiseConnected();
    const channel = new Channel(responder.send, responder.receive);
    const out = new Uint8Array(38);
    const body = new Uint8Array(0);
    sealRecord(initiator.send, RecordType.fin, body, out, 0);
    sealRecord(initiator.send, type, body, out, 19);
    assertRefused(channel, out, "unexpected");
  }
});

Deno.test("a greeting has no place in a channel, and other types have no place anywhere", () => {
  for (const type of [RecordType.hello, RecordType.accept, RecordType.reject]) {
    const { channel, record } = opened(type, ascii("{}"));
    assertRefused(channel, record, "unexpected");
  }
  for (const type of [5, 6, 128, 255]) {
    const { channel, record } = opened(type, ascii("{}"));
    assertRefused(channel, record, "malformed");
  }
});

Deno.test("a record too short to say its type is refused as soon as its length is read", () => {
  for (let length = 0; length <= 16; length++) {
    assertRefused(connected().server, Uint8Array.of(0, length), "malformed");
  }
});

Deno.test("an empty DATA record is no end, and no byte", () => {
  const { channel, record } = opened(RecordType.data, new Uint8Array(0));
  assertEquals(open(channel, record), {
    length: 0,
    ended: false,
    refusal: null,
    bytes: new Uint8Array(0),
  });
});

Deno.test("garbage is refused, however it is cut", () => {
  for (let round = 0; round < 100; round++) {
    const { server } = connected();
    const garbage = joined(Uint8Array.of(0, 17 + round), noise(200));
    let refusal: ProtocolError | null = null;
    for (const crumb of crumbs(garbage)) {
      refusal = open(server, crumb).refusal;
      if (refusal !== null) break;
    }
    assertEquals(refusal, "corrupt");
    assertOver(server);
  }
});

Deno.test("nothing is sent after our FIN", () => {
  const { client } = connected();
  fin(client);
  assertThrows(() => client.sealData(ascii("x"), new Uint8Array(64)), Error, "after FIN");
  assertThrows(() => client.sealFin(new Uint8Array(64)), Error, "after FIN");
});

Deno.test("too little room is a mistake of the caller, and costs nothing", () => {
  const { client, server } = connected();
  assertThrows(() => client.sealData(ascii("four"), new Uint8Array(22)), RangeError);
  assertThrows(() => client.sealData(ascii("four"), new Uint8Array(23), 1), RangeError);
  const many = new Uint8Array(MAX_BODY + 1);
  assertThrows(() => client.sealData(many, new Uint8Array(65537 + 19)), RangeError);
  const record = data(client, ascii("four"));
  assertThrows(() => server.open(record, new Uint8Array(record.length - 1)), RangeError);
  assertEquals(open(server, record).bytes, ascii("four"));
  assertThrows(() => server.open(new Uint8Array(1), new Uint8Array(1), 1), RangeError);
  assertEquals(open(server, data(client, ascii("next"))).bytes, ascii("next"));
});

Deno.test("a direction whose nonces are used up is over", () => {
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
  assertThrows(() => data(sender, ascii("one too many")), NoiseFailure, "exhausted");
  assertRefused(receiver, new Uint8Array(19).with(1, 17), "exhausted");
});

Deno.test("a channel that was given up is over", () => {
  const { client, server } = connected();
  const record = data(client, ascii("late"));
  server.wipe();
  assertThrows(() => open(server, record), Error, "after its end");
  assertOver(server);
});
