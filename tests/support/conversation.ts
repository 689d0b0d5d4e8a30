/** Both ends of a connection, in memory, without a socket. */
import { assertEquals } from "@std/assert";
import { Channel, type OpenResult, sealedLength } from "../../lib/protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { RECORD_OVERHEAD_BYTES } from "../../lib/protocol/records.ts";
import {
  type KeyLookup,
  type ServerEvent,
  ServerHandshake,
} from "../../lib/protocol/server_handshake.ts";

export const KEY: Uint8Array = new Uint8Array(32).map((_, index) => index * 7 + 1);
export const OTHER_KEY: Uint8Array = new Uint8Array(32).fill(99);
export const HELLO = { client: "test/1", user: null } as const;

/** The lookup of a server that has these keys. */
export function keys(...known: Uint8Array[]): KeyLookup {
  const byId = new Map(known.map((key) => [keyId(key), key]));
  return (id) => byId.get(id) ?? null;
}

/** The concatenation of byte arrays. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A copy with one bit flipped. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** Both ends of a handshake up to HELLO, and the bytes that they have sent. */
export interface Handshaken {
  readonly client: ClientHandshake;
  readonly server: ServerHandshake;
  /** Preamble and message 1. */
  readonly opening: Uint8Array;
  /** Message 2. */
  readonly answer: Uint8Array;
  readonly hello: Uint8Array;
}

type Sent = { readonly bytes: Uint8Array };

/** Asserts that there is one event, of this kind, and returns it. */
export function only<Event extends ServerEvent | ClientEvent, Kind extends Event["kind"]>(
  events: readonly Event[],
  kind: Kind,
): Extract<Event, { kind: Kind }> {
  assertEquals(events.map((event) => event.kind), [kind]);
  return events[0] as Extract<Event, { kind: Kind }>;
}

/** Runs a handshake up to HELLO, which the server has not received yet. */
export function handshaken(key = KEY, lookup = keys(KEY)): Handshaken {
  const client = new ClientHandshake(key, HELLO);
  const server = new ServerHandshake(lookup);
  const opening = client.start();
  const answer: Sent = only(server.push(opening), "send");
  const hello: Sent = only(client.push(answer.bytes), "send");
  return { client, server, opening, answer: answer.bytes, hello: hello.bytes };
}

/** Both ends of an accepted connection. */
export interface Connected {
  readonly client: Channel;
  readonly server: Channel;
}

/** Runs a handshake to its end. */
export function connected(): Connected {
  const { client, server, hello } = handshaken();
  only(server.push(hello), "hello");
  const { bytes, channel } = server.accept({ user: "bob", service: "forward" });
  return { server: channel, client: only(client.push(bytes), "accepted").channel };
}

/** Seals DATA records. */
export function data(channel: Channel, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(sealedLength(bytes.length));
  assertEquals(channel.sealData(bytes, out), out.length);
  return out;
}

/** Seals FIN. */
export function fin(channel: Channel): Uint8Array {
  const out = new Uint8Array(RECORD_OVERHEAD_BYTES);
  assertEquals(channel.sealFin(out), out.length);
  return out;
}

/** Passes a chunk to a channel. @returns The result, with the plaintext. */
export function open(channel: Channel, chunk: Uint8Array): OpenResult & { bytes: Uint8Array } {
  const out = new Uint8Array(channel.capacityFor(chunk.length));
  const opened = channel.open(chunk, out);
  return { ...opened, bytes: out.subarray(0, opened.length) };
}

/** Cuts bytes into chunks of one byte. */
export function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}
