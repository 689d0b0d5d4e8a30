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

/** Runs one side of a vector's handshake, and compares what it writes and reads. */
function play(vector: Vector, own: "initiator" | "responder"): Transport {
  const state: HandshakeState = side(vector, own === "initiator");
  for (const index of [0, 1] as const) {
    const { sender, payload, ciphertext } = first(vector, index);
    if (sender === own) assertEquals(write(state, payload), ciphertext);
    else assertEquals(read(state, ciphertext), payload);
  }
  return state.split();
}

Deno.test("there are 6 vectors of this protocol", () => {
  assertEquals(vectors.length, 6);
  for (const vector of vectors) assertEquals(vector.protocolName, PROTOCOL_NAME);
});

vectors.forEach((vector, index) => {
  for (const own of ["initiator", "responder"] as const) {
    Deno.test(`vector ${index + 1}: the ${own} writes and reads its bytes`, () => {
      const transport = play(vector, own);
      assertEquals(transport.handshakeHash, vector.handshakeHash);
      for (const { sender, payload, ciphertext } of vector.messages.slice(2)) {
        if (sender === own) assertEquals(encrypt(transport.send, payload), ciphertext);
        else assertEquals(decrypt(transport.receive, ciphertext), payload);
      }
    });
  }
});
