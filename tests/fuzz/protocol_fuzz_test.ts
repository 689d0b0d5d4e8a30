/** What arrives as bytes: handshakes, records, greetings; and headers that are made for others. */
import { assert, assertEquals } from "@std/assert";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { FrameReader } from "../../lib/protocol/frame_reader.ts";
import { parseAccept, parseHello, parseReject } from "../../lib/protocol/greetings.ts";
import { type RecordType, sealRecord } from "../../lib/protocol/records.ts";
import { type ServerEvent, ServerHandshake } from "../../lib/protocol/server_handshake.ts";
import { Channel } from "../../lib/protocol/channel.ts";
import { CipherState } from "../../lib/noise/cipher_state.ts";
import { proxyHeader } from "../../lib/service/forward/proxy_header.ts";
import { answerTo } from "../../lib/service/metrics/session.ts";
import { HELLO, joined, KEY, keys, only, open } from "../support/conversation.ts";
import { anyBytes, anyText, cuts, fc, forAny, inPieces, mutated, UNSAFE, utf8 } from "./fuzz.ts";

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

Deno.test("fuzz: frames are the same, wherever the stream is cut", () => {
  forAny(fc.tuple(anyBytes, cuts), ([bytes, places]) => {
    const read = (pieces: readonly Uint8Array[]) => {
      const reader = new FrameReader();
      const frames: string[] = [];
      for (const piece of pieces) {
        reader.push(piece);
        for (;;) {
          const frame = reader.frame(1, 40);
          if (frame === null) break;
          frames.push(typeof frame === "string" ? frame : frame.toHex());
          // The stream is over, and its bytes mean nothing.
          if (typeof frame === "string") return frames;
        }
      }
      return frames;
    };
    assertEquals(read(inPieces(bytes, places)), read([bytes]));
  });
});

/** Pushes pieces to one side of a handshake, up to its end. */
function pushAll<Event extends ServerEvent | ClientEvent>(
  side: { push(chunk: Uint8Array): readonly Event[] },
  pieces: readonly Uint8Array[],
): Event[] {
  const events: Event[] = [];
  for (const piece of pieces) {
    events.push(...side.push(piece));
    if (events.some(({ kind }) => kind !== "send")) break;
  }
  return events;
}

/** A handshake whose messages are changed on their way. */
const changes = fc.tuple(cuts, fc.infiniteStream(fc.nat()));

Deno.test("fuzz: a server says hello to the client's own bytes alone, and fails without a word", () => {
  forAny(fc.tuple(changes, fc.nat(2), fc.gen()), ([[places], which, gen]) => {
    const client = new ClientHandshake(KEY, HELLO);
    const server = new ServerHandshake(keys(KEY));
    const opening = copyOf(client.start());
    const sentOpening = which === 0 ? gen(() => mutated([opening])) : opening;
    const first = pushAll(server, inPieces(sentOpening, places));
    assert(first.every(({ kind }) => kind === "send" || kind === "failed"));
    if (!same(sentOpening.slice(0, opening.length), opening)) {
      // Nothing that could be an answer to a key.
      assertEquals(first.filter(({ kind }) => kind === "send"), []);
      return;
    }
    if (sentOpening.length > opening.length) return;
    const hello = copyOf(only(client.push(only(first, "send").bytes), "send").bytes);
    const sentHello = which === 1 ? gen(() => mutated([hello])) : hello;
    const second = pushAll(server, inPieces(sentHello, places));
    assertEquals(second.filter(({ kind }) => kind === "send"), []);
    const greeted = second.some(({ kind }) => kind === "hello");
    assertEquals(greeted, same(sentHello.slice(0, hello.length), hello));
  }, 0.1);
});

Deno.test("fuzz: a client is accepted by the server's own bytes alone", () => {
  forAny(fc.tuple(changes, fc.boolean(), fc.gen()), ([[places], first, gen]) => {
    const client = new ClientHandshake(KEY, HELLO);
    const server = new ServerHandshake(keys(KEY));
    const message = copyOf(only(server.push(client.start()), "send").bytes);
    const sent = first ? gen(() => mutated([message])) : message;
    const events = pushAll(client, inPieces(sent, places));
    const isWhole = same(sent.slice(0, message.length), message);
    // HELLO, with the client's name, is for a server that holds the key.
    assertEquals(events.some(({ kind }) => kind === "send"), isWhole);
    if (!isWhole || sent.length > message.length) return;
    only(server.push(only(events, "send").bytes), "hello");
    const accept = copyOf(server.accept({ user: "bob", service: "console" }).bytes);
    const answer = gen(() => mutated([accept]));
    const last = pushAll(client, inPieces(answer, places));
    const accepted = last.some(({ kind }) => kind === "accepted");
    assertEquals(accepted, same(answer.slice(0, accept.length), accept));
    assertEquals(last.some(({ kind }) => kind === "rejected" || kind === "send"), false);
  }, 0.1);
});

type Step =
  | { readonly kind: "data"; readonly body: Uint8Array }
  | { readonly kind: "fin" }
  | { readonly kind: "control"; readonly type: number; readonly body: Uint8Array }
  | { readonly kind: "flip"; readonly at: number; readonly body: Uint8Array }
  | { readonly kind: "repeat" }
  | { readonly kind: "skip" };

function cipher(key: Uint8Array): CipherState {
  const state = new CipherState();
  state.initializeKey(key);
  return state;
}

const body = anyBytes;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("data"), body }) },
  fc.record({ kind: fc.constant("fin") }),
  fc.record({ kind: fc.constant("control"), type: fc.integer({ min: 2, max: 255 }), body }),
  fc.record({ kind: fc.constant("flip"), at: fc.nat(), body }),
  fc.record({ kind: fc.constant("repeat") }),
  fc.record({ kind: fc.constant("skip") }),
) as fc.Arbitrary<Step>;

Deno.test("fuzz: of any records, a channel hands on the data before the first bad one, and no more", () => {
  const key = new Uint8Array(32).fill(5);
  forAny(fc.tuple(fc.array(step, { maxLength: 8 }), cuts), ([steps, places]) => {
    const [sender, receiver, unused] = [cipher(key), cipher(key), cipher(key)];
    const channel = new Channel(unused, receiver);
    const seal = (type: number, bytes: Uint8Array) => {
      const out = new Uint8Array(19 + bytes.length);
      sealRecord(sender, type as RecordType, bytes, out, 0);
      return out;
    };
    const stream: Uint8Array[] = [];
    const expected: Uint8Array[] = [];
    let state = "open" as "open" | "ended" | "bad";
    const isBad = () => void (state = "bad");
    for (const one of steps) {
      // No byte may follow FIN.
      if (state === "ended" && one.kind !== "skip") isBad();
      switch (one.kind) {
        case "data":
          stream.push(seal(0, one.body));
          if (state === "open") expected.push(one.body);
          break;
        case "fin":
          stream.push(seal(1, new Uint8Array()));
          if (state === "open") state = "ended";
          break;
        case "control":
          stream.push(seal(one.type, one.body));
          isBad();
          break;
        case "flip": {
          const record = seal(0, one.body);
          // Behind the length, which may stand for a record that has not come yet.
          const bit = 16 + one.at % (8 * (record.length - 2));
          record[bit >> 3]! ^= 1 << (bit & 7);
          stream.push(record);
          isBad();
          break;
        }
        case "repeat":
          if (stream.length > 0) {
            stream.push(stream.at(-1)!);
            isBad();
          }
          break;
        case "skip":
          // A record that never arrives: every later one is not the next.
          seal(0, new Uint8Array());
          if (state === "open" && steps.indexOf(one) < steps.length - 1) {
            stream.push(seal(0, new Uint8Array(3)));
            isBad();
          }
      }
    }
    const received: Uint8Array[] = [];
    let error: string | null = null;
    let ended = false;
    for (const piece of inPieces(copyOf(joined(...stream)), places)) {
      const result = open(channel, piece);
      received.push(copyOf(result.bytes));
      error = result.error;
      ended ||= result.ended;
      if (error !== null || ended) break;
    }
    assertEquals(joined(...received).toHex(), joined(...expected).toHex());
    if (state === "open") assertEquals([error, ended, channel.end()], [null, false, "truncated"]);
    if (state === "ended") assertEquals([error, ended], [null, true]);
    // Bytes behind FIN may come in a later piece, which is not read any more.
    if (state === "bad") assert(error !== null || ended);
  }, 0.4);
});

Deno.test("fuzz: a greeting holds texts without control characters, or is none", () => {
  const seeds = [
    '{"client":"ipcauth/1","user":"bob"}',
    '{"user":"bob","service":"console"}',
    '{"reason":"bad-key"}',
  ].map(utf8);
  const made = fc.record({ client: anyText, user: anyText, service: anyText, reason: anyText }, {
    requiredKeys: [],
  }).map((content) => utf8(JSON.stringify(content)));
  forAny(fc.oneof(mutated(seeds), made, anyBytes), (bytes) => {
    const accept = parseAccept(bytes);
    const hello = parseHello(bytes);
    const texts = [accept?.user, accept?.service, hello?.client, hello?.user, parseReject(bytes)];
    for (const text of texts) {
      if (text === null || text === undefined) continue;
      assert(text.length > 0 && text.length <= 255 && !/\p{Cc}/u.test(text), JSON.stringify(text));
    }
  });
});

/** The values of a PROXY protocol v2 header behind the addresses, by their types. */
function readHeader(header: Uint8Array): Map<number, string> {
  const view = new DataView(header.buffer);
  assertEquals(header.subarray(0, 13).toHex(), "0d0a0d0a000d0a515549540a21");
  assertEquals(view.getUint16(14), header.length - 16);
  const values = new Map<number, string>();
  for (let at = 16 + (header[13] === 0x11 ? 12 : 36); at < header.length;) {
    const length = view.getUint16(at + 1);
    const value = header.subarray(at + 3, at + 3 + length);
    assertEquals(value.length, length);
    assert(value.every((byte) => byte > 0x20 && byte < 0x7f));
    values.set(header[at]!, String.fromCharCode(...value));
    at += 3 + length;
  }
  return values;
}

Deno.test("fuzz: a PROXY header says who it is in ASCII, and nothing else", () => {
  const id = fc.nat();
  const identity = fc.record({
    user: anyText.filter((text) => text !== ""),
    uid: id,
    gid: fc.option(id),
    pid: fc.option(id),
    keyId: fc.option(fc.constant("0123456789abcdef")),
  });
  const addressOf = (length: number) =>
    fc.record({
      bytes: fc.uint8Array({ minLength: length, maxLength: length }),
      port: fc.nat(65535),
    });
  const ends = fc.constantFrom(4, 16)
    .chain((length) => fc.tuple(addressOf(length), addressOf(length)));
  forAny(fc.tuple(identity, ends), ([identity, [source, destination]]) => {
    const header = proxyHeader(identity, source, destination);
    assertEquals(header[13], source.bytes.length === 4 ? 0x11 : 0x21);
    const addresses = header.subarray(16, 16 + 2 * source.bytes.length);
    assertEquals(addresses.toHex(), source.bytes.toHex() + destination.bytes.toHex());
    const values = readHeader(header);
    const { user, uid, gid, pid, keyId } = identity;
    const written = (value: number | string | null) => value === null ? undefined : String(value);
    assertEquals(decodeURIComponent(values.get(0xe0)!), user.toWellFormed());
    assertEquals(
      [0xe1, 0xe2, 0xe3, 0xe4].map((type) => values.get(type)),
      [uid, gid, pid, keyId].map(written),
    );
  });
});

Deno.test("fuzz: any HTTP request gets one answer, which no request puts a line into", () => {
  const seeds = [
    "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close",
    "HEAD /healthz?x HTTP/1.0",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5",
  ].map(utf8);
  const facts = { stats: { uptime: 1, sessions: 0, denied: 0, denied_bad_key: 0 }, problem: "b" };
  forAny(fc.oneof(mutated(seeds), anyText.map(utf8)), (bytes) => {
    const answer = answerTo(new TextDecoder("latin1").decode(bytes), facts);
    assert(/^[2-5]\d\d [A-Z][A-Za-z ]+$/.test(answer.status), answer.status);
    for (const line of [answer.type, ...answer.headers ?? []]) assert(!UNSAFE.test(line), line);
  });
});
