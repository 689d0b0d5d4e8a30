import { assert, assertEquals } from "@std/assert";
import { Channel } from "../../lib/protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { parseKeyFile } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { type ServerEvent, ServerHandshake } from "../../lib/protocol/server_handshake.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";
import { bytes, list, readVectors, sender, text } from "../support/noise_vectors.ts";
import { data, fin, joined, keys, open, singleBytes } from "../support/conversation.ts";

/** One message of a transcript. */
interface Message {
  readonly sender: "initiator" | "responder";
  readonly what: string;
  readonly bytes: Uint8Array;
}

const transcripts = list(readVectors("wire_transcripts.json"), "transcripts").map((transcript) => ({
  keyFile: text(transcript, "key_file"),
  keyId: text(transcript, "key_id"),
  initiatorEphemeral: bytes(transcript, "initiator_ephemeral"),
  responderEphemeral: bytes(transcript, "responder_ephemeral"),
  messages: list(transcript, "transcript").map((part): Message => ({
    sender: sender(part),
    what: text(part, "what"),
    bytes: bytes(part, "bytes"),
  })),
}));

type Transcript = typeof transcripts[number];
/** How a stream is cut before it is pushed. */
type Cut = (stream: Uint8Array) => readonly Uint8Array[];

/** All bytes of one side. */
function stream(transcript: Transcript, side: Message["sender"]): Uint8Array {
  return joined(
    ...transcript.messages.filter(({ sender }) => sender === side).map(({ bytes }) => bytes),
  );
}

function key(transcript: Transcript): Uint8Array {
  return parseKeyFile(new TextEncoder().encode(transcript.keyFile), "ipc.key");
}

const ascii = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Opens the bytes of a channel, and collects the plaintext. */
class Receiver {
  #text = "";
  #ended = false;
  #channel: Channel | null = null;

  /** Whether the handshake is over. */
  get hasChannel(): boolean {
    return this.#channel !== null;
  }

  start(channel: Channel, rest: Uint8Array): void {
    this.#channel = channel;
    this.receive(rest);
  }

  receive(chunk: Uint8Array): void {
    if (this.#channel === null) throw new Error("there is no channel yet");
    const { bytes, ended, error } = open(this.#channel, chunk);
    assertEquals(error, null);
    this.#text += ascii(bytes);
    this.#ended = ended;
  }

  finish(): string {
    assert(this.#ended);
    assertEquals(this.#channel?.end(), null);
    return this.#text;
  }
}

/** Runs a server on the bytes of the client, and compares the bytes that it sends. */
function serve(transcript: Transcript, cut: Cut): void {
  const ephemeral = KeyPair.fromPrivateKey(transcript.responderEphemeral);
  const server = new ServerHandshake(keys(key(transcript)), ephemeral);
  const sent: Uint8Array[] = [];
  const receiver = new Receiver();
  const onEvent = (event: ServerEvent): void => {
    if (event.kind === "send") sent.push(new Uint8Array(event.bytes));
    else if (event.kind === "hello") {
      assertEquals([event.keyId, event.client, event.user], [transcript.keyId, "vector/1", null]);
      const { bytes, channel } = server.accept({ user: "bob", service: "forward" });
      const pong = data(channel, new TextEncoder().encode("pong"));
      sent.push(bytes, pong, fin(channel));
      receiver.start(channel, event.rest);
    } else assertEquals(event.kind, "hello");
  };
  for (const chunk of cut(stream(transcript, "initiator"))) {
    if (receiver.hasChannel) receiver.receive(chunk);
    else server.push(chunk).forEach(onEvent);
  }
  assertEquals(receiver.finish(), "ping");
  assertEquals(joined(...sent).toHex(), stream(transcript, "responder").toHex());
}

/** Runs a client on the bytes of the server, and compares the bytes that it sends. */
function connect(transcript: Transcript, cut: Cut): void {
  const ephemeral = KeyPair.fromPrivateKey(transcript.initiatorEphemeral);
  const hello = { client: "vector/1", user: null };
  const client = new ClientHandshake(key(transcript), hello, ephemeral);
  const sent: Uint8Array[] = [client.start()];
  const receiver = new Receiver();
  const onEvent = (event: ClientEvent): void => {
    if (event.kind === "send") sent.push(event.bytes);
    else if (event.kind === "accepted") {
      assertEquals([event.user, event.service], ["bob", "forward"]);
      const ping = data(event.channel, new TextEncoder().encode("ping"));
      sent.push(ping, fin(event.channel));
      receiver.start(event.channel, event.rest);
    } else assertEquals(event.kind, "accepted");
  };
  for (const chunk of cut(stream(transcript, "responder"))) {
    if (receiver.hasChannel) receiver.receive(chunk);
    else client.push(chunk).forEach(onEvent);
  }
  assertEquals(receiver.finish(), "pong");
  assertEquals(joined(...sent).toHex(), stream(transcript, "initiator").toHex());
}

const sides = [["server", serve, "initiator"], ["client", connect, "responder"]] as const;

transcripts.forEach((transcript, index) => {
  const name = `transcript ${index + 1}`;

  Deno.test(`${name}: the key id is that of the key`, () => {
    assertEquals(keyId(key(transcript)), transcript.keyId);
  });

  for (const [side, play, other] of sides) {
    Deno.test(`${name}: the ${side} sends its bytes, and receives in one chunk`, () => {
      play(transcript, (stream) => [stream]);
    });

    Deno.test(`${name}: the ${side} receives message by message`, () => {
      play(
        transcript,
        () =>
          transcript.messages.filter(({ sender }) => sender === other).map(({ bytes }) => bytes),
      );
    });

    Deno.test(`${name}: the ${side} receives byte by byte`, () => {
      play(transcript, singleBytes);
    });

    Deno.test(`${name}: the ${side} receives two chunks, cut after any byte`, () => {
      for (let at = 0; at <= stream(transcript, other).length; at++) {
        play(transcript, (stream) => [stream.subarray(0, at), stream.subarray(at)]);
      }
    });
  }
});
