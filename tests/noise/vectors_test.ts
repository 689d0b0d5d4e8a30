import { assertEquals } from "@std/assert";
import {
  type HandshakeState,
  PROTOCOL_NAME,
  type Transport,
} from "../../lib/noise/handshake_state.ts";
import {
  decrypt,
  encrypt,
  type Message,
  read,
  side,
  type Vector,
  vectors,
  write,
} from "../support/noise_vectors.ts";

function first(vector: Vector, index: 0 | 1): Message {
  const message = vector.messages[index];
  if (message === undefined) throw new Error("the vector is too short");
  return message;
}

/** Plays the one side: writes what it is said to write, reads what the other is said to have written. */
function play(vector: Vector, me: "initiator" | "responder"): Transport {
  const state: HandshakeState = side(vector, me === "initiator");
  for (const index of [0, 1] as const) {
    const { sender, payload, ciphertext } = first(vector, index);
    if (sender === me) assertEquals(write(state, payload), ciphertext);
    else assertEquals(read(state, ciphertext), payload);
  }
  return state.split();
}

Deno.test("there are vectors, and they are of the protocol spoken here", () => {
  assertEquals(vectors.length, 6);
  for (const vector of vectors) assertEquals(vector.protocolName, PROTOCOL_NAME);
});

vectors.forEach((vector, index) => {
  for (const me of ["initiator", "responder"] as const) {
    Deno.test(`vector ${index + 1} comes out byte for byte, played by the ${me}`, () => {
      const transport = play(vector, me);
      assertEquals(transport.handshakeHash, vector.handshakeHash);
      for (const { sender, payload, ciphertext } of vector.messages.slice(2)) {
        if (sender === me) assertEquals(encrypt(transport.send, payload), ciphertext);
        else assertEquals(decrypt(transport.receive, ciphertext), payload);
      }
    });
  }
});
