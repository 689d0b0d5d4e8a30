import { assert, assertEquals } from "@std/assert";
import { Channel } from "../../lib/protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { parseKeyFile } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { type ServerEvent, ServerHandshake } from "../../lib/protocol/server_handshake.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";
import { bytes, list, readVectors, sender, text } from "../support/noise_vectors.ts";
import { crumbs, data, fin, joined, keys, open } from "../support/conversation.ts";

interface Said {
  readonly sender: "initiator" | "responder";
  readonly what: string;
  readonly bytes: Uint8Array;
}

const transcripts = list(readVectors("wire_transcripts.json"), "transcripts").map((transcript) => ({
  keyFile: text(transcript, "key_file"),
  keyId: text(transcript, "key_id"),
  initiatorEphemeral: bytes(transcript, "initiator_ephemeral"),
  responderEphemeral: bytes(transcript, "responder_ephemeral"),
  said: list(transcript, "transcript").map((part): Said => ({
    sender: sender(part),
    what: text(part, "what"),
    bytes: bytes(part, "bytes"),
  })),
}));

type Transcript = typeof transcripts[number];
/** How a stream is cut before it is pushed. */
type Cut = (stream: Uint8Array) => readonly Uint8Array[];

function stream(transcript: Transcript, who: Said["sender"]): Uint8Array {
  return joined(...transcript.said.filter((said) => said.sender === who).map((said) => said.bytes));
}

function key(transcript: Transcript): Uint8Array {
  return parseKeyFile(new TextEncoder().encode(transcript.keyFile), "ipc.key");
}

const ascii = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Collects what a channel opens, until its end. */
class Listener {
  #heard = "";
  #ended = false;
  #channel: Channel | null = null;

  /** Whether the handshake is over. */
  get listens(): boolean {
    return this.#channel !== null;
  }

  begin(channel: Channel, rest: Uint8Array): void {
    this.#channel = channel;
    this.hear(rest);
  }

  hear(chunk: Uint8Array): void {
    if (this.#channel === null) throw new Error("there is nothing to listen to yet");
    const { bytes, ended, refusal } = open(this.#channel, chunk);
    assertEquals(refusal, null);
    this.#heard += ascii(bytes);
    this.#ended = ended;
  }

  finish(): string {
    assert(this.#ended);
    assertEquals(this.#channel?.end(), null);
    return this.#heard;
  }
}

/** The server, given what the client has said. */
function serve(transcript: Transcript, cut: Cut): void {
  const ephemeral = KeyPair.fromPrivateKey(transcript.responderEphemeral);
  const server = new ServerHandshake(keys(key(transcript)), ephemeral);
  const sent: Uint8Array[] = [];
  const listener = new Listener();
  const onEvent = (event: ServerEvent): void => {
    if (event.kind === "send") sent.push(new Uint8Array(event.bytes));
    else if (event.kind === "hello") {
      assertEquals([event.keyId, event.client, event.user], [transcript.keyId, "vector/1", null]);
      const { bytes, channel } = server.accept({ user: "bob", service: "forward" });
      const pong = data(channel, new TextEncoder().encode("pong"));
      sent.push(bytes, pong, fin(channel));
      listener.begin(channel, event.rest);
    } else assertEquals(event.kind, "hello");
  };
  for (const chunk of cut(stream(transcript, "initiator"))) {
    if (listener.listens) listener.hear(chunk);
    else server.push(chunk).forEach(onEvent);
  }
  assertEquals(listener.finish(), "ping");
  assertEquals(joined(...sent).toHex(), stream(transcript, "responder").toHex());
}

/** The client, given what the server has said. */
function connect(transcript: Transcript, cut: Cut): void {
  const ephemeral = KeyPair.fromPrivateKey(transcript.initiatorEphemeral);
  const hello = { client: "vector/1", user: null };
  const client = new ClientHandshake(key(transcript), hello, ephemeral);
  const sent: Uint8Array[] = [client.start()];
  const listener = new Listener();
  const onEvent = (event: ClientEvent): void => {
    if (event.kind === "send") sent.push(event.bytes);
    else if (event.kind === "accepted") {
      assertEquals([event.user, event.service], ["bob", "forward"]);
      const ping = data(event.channel, new TextEncoder().encode("ping"));
      sent.push(ping, fin(event.channel));
      listener.begin(event.channel, event.rest);
    } else assertEquals(event.kind, "accepted");
  };
  for (const chunk of cut(stream(transcript, "responder"))) {
    if (listener.listens) listener.hear(chunk);
    else client.push(chunk).forEach(onEvent);
  }
  assertEquals(listener.finish(), "pong");
  assertEquals(joined(...sent).toHex(), stream(transcript, "initiator").toHex());
}

const sides = [["server", serve, "initiator"], ["client", connect, "responder"]] as const;

transcripts.forEach((transcript, index) => {
  const name = `transcript ${index + 1}`;

  Deno.test(`${name}: the key id is that of the key`, () => {
    assertEquals(keyId(key(transcript)), transcript.keyId);
  });

  for (const [side, play, other] of sides) {
    Deno.test(`${name}: the ${side} says it byte for byte, and hears it in one piece`, () => {
      play(transcript, (stream) => [stream]);
    });

    Deno.test(`${name}: the ${side} hears it record by record`, () => {
      play(
        transcript,
        () => transcript.said.filter((said) => said.sender === other).map((said) => said.bytes),
      );
    });

    Deno.test(`${name}: the ${side} hears it one byte at a time`, () => {
      play(transcript, crumbs);
    });

    Deno.test(`${name}: the ${side} hears it cut in two at every byte`, () => {
      for (let at = 0; at <= stream(transcript, other).length; at++) {
        play(transcript, (stream) => [stream.subarray(0, at), stream.subarray(at)]);
      }
    });
  }
});
