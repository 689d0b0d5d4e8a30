/** No key outlives the handshake or the channel that it was made for. */
import { assertEquals, assertThrows } from "@std/assert";
import type { CipherState } from "../../lib/noise/cipher_state.ts";
import { Channel } from "../../lib/protocol/channel.ts";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import type { ServerEvent } from "../../lib/protocol/server_handshake.ts";
import { isWiped, keyedDuring } from "../support/ciphers.ts";
import { connected as noiseConnected } from "../support/noise_vectors.ts";
import {
  connected,
  data,
  fin,
  flipped,
  type Handshaken,
  handshaken,
  HELLO,
  KEY,
  only,
  open,
} from "../support/conversation.ts";

const answer = { user: "bob", service: "console" };
type Ending = (ends: Handshaken) => void;
const ENDINGS: Record<string, Ending> = {
  "is denied": ({ server, client, hello }) => {
    only(server.push(hello), "hello");
    only(client.push(server.reject("user-denied")), "rejected");
  },
  "fails at HELLO": ({ server, client, hello }) => {
    only<ServerEvent, "failed">(server.push(flipped(hello, 60)), "failed");
    client.end();
  },
  "fails at the answer": ({ server, client, hello }) => {
    only(server.push(hello), "hello");
    const { bytes, channel } = server.accept(answer);
    only<ClientEvent, "failed">(client.push(flipped(bytes, 60)), "failed");
    channel.wipe();
  },
  "is cut off": ({ server, client }) => {
    server.end();
    client.end();
  },
  "is given up": ({ server, client, hello }) => {
    only(server.push(hello), "hello");
    server.wipe();
    client.wipe();
  },
};

for (const [what, ending] of Object.entries(ENDINGS)) {
  Deno.test(`no key outlives a handshake that ${what}`, () => {
    const ciphers = keyedDuring(() => ending(handshaken()));
    assertEquals(ciphers.map(isWiped), ciphers.map(() => true));
    assertEquals(ciphers.length >= 4, true);
  });
}

Deno.test("a client that is given up before the server's answer leaves no key", () => {
  const ciphers = keyedDuring(() => {
    const client = new ClientHandshake(KEY, HELLO);
    client.start();
    client.wipe();
  });
  assertEquals(ciphers.map(isWiped), [true]);
});

Deno.test("the ciphers of an accepted connection are the channel's: wiping ends no other", () => {
  const { server, client, hello } = handshaken();
  only(server.push(hello), "hello");
  const { bytes, channel } = server.accept(answer);
  const { channel: other } = only(client.push(bytes), "accepted");
  for (const end of [server, client]) {
    assertThrows(() => end.push(hello), Error, "after its end");
    assertThrows(() => end.end(), Error, "after its end");
    end.wipe();
  }
  assertEquals(open(other, data(channel, Uint8Array.of(1, 2))).bytes, Uint8Array.of(1, 2));
  assertEquals(open(channel, data(other, Uint8Array.of(3))).bytes, Uint8Array.of(3));
});

/** A channel, and its ciphers. */
function channelOf(): { channel: Channel; send: CipherState; receive: CipherState; peer: Channel } {
  const { initiator, responder: { send, receive } } = noiseConnected();
  const peer = new Channel(initiator.send, initiator.receive);
  return { channel: new Channel(send, receive), send, receive, peer };
}

Deno.test("each direction of a channel loses its key with its FIN", () => {
  const { channel, send, receive, peer } = channelOf();
  fin(channel);
  assertEquals([isWiped(send), isWiped(receive)], [true, false]);
  const other = channelOf();
  other.channel.open(fin(other.peer), new Uint8Array(100));
  assertEquals([isWiped(other.send), isWiped(other.receive)], [false, true]);
  peer.wipe();
});

Deno.test("a channel that is wiped, is cut off or fails loses both keys", () => {
  const endings: ((channel: Channel, peer: Channel) => void)[] = [
    (channel) => channel.wipe(),
    (channel) => assertEquals(channel.end(), "truncated"),
    (channel, peer) => {
      const record = flipped(data(peer, Uint8Array.of(1)), 40);
      assertEquals(open(channel, record).error, "corrupt");
    },
  ];
  for (const ending of endings) {
    const { channel, send, receive, peer } = channelOf();
    ending(channel, peer);
    assertEquals([isWiped(send), isWiped(receive)], [true, true]);
  }
});

Deno.test("a channel whose other direction has ended goes on", () => {
  const { client, server } = connected();
  open(server, fin(client));
  assertEquals(open(client, data(server, Uint8Array.of(7))).bytes, Uint8Array.of(7));
});
