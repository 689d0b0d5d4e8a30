import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { HandshakeState } from "../../lib/noise/handshake_state.ts";
import { NoiseError, type NoiseErrorReason } from "../../lib/noise/noise_error.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";
import { connected, decrypt, NOTHING, read, write } from "../support/noise_vectors.ts";

const PSK = new Uint8Array(32).fill(3);

function pair(): [HandshakeState, HandshakeState] {
  const prologue = Uint8Array.of(1, 2, 3);
  return [
    new HandshakeState({ initiator: true, prologue, psk: PSK }),
    new HandshakeState({ initiator: false, prologue, psk: PSK }),
  ];
}

function assertFails(reason: NoiseErrorReason, action: () => unknown): void {
  assertEquals(assertThrows(action, NoiseError).reason, reason);
}

function assertOver(state: HandshakeState): void {
  for (
    const use of [() => write(state), () => read(state, new Uint8Array(48)), () => state.split()]
  ) {
    assertThrows(use, Error, "out of turn");
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

Deno.test("two sides with the same key and prologue have the same ciphers and hash", () => {
  const { initiator, responder } = connected();
  assertEquals(initiator.handshakeHash, responder.handshakeHash);
  const sealed = new Uint8Array(17);
  initiator.send.encryptWithAd(NOTHING, Uint8Array.of(42), sealed);
  assertEquals(decrypt(responder.receive, sealed), Uint8Array.of(42));
});

Deno.test("message 1 with any bit flipped is unauthentic, and the state is over", () => {
  const message = write(pair()[0]);
  for (let bit = 0; bit < message.length * 8; bit++) {
    const responder = pair()[1];
    assertFails("unauthentic", () => read(responder, flipped(message, bit)));
    assertOver(responder);
  }
});

Deno.test("message 2 with any bit flipped is unauthentic, and the state is over", () => {
  for (let bit = 0; bit < 48 * 8; bit++) {
    const [initiator, responder] = pair();
    read(responder, write(initiator));
    assertFails("unauthentic", () => read(initiator, flipped(write(responder), bit)));
    assertOver(initiator);
  }
});

Deno.test("a message that is cut or too long is malformed", () => {
  const message = write(pair()[0]);
  for (let length = 0; length < message.length; length++) {
    const responder = pair()[1];
    assertFails("malformed", () => read(responder, message.subarray(0, length)));
    assertOver(responder);
  }
  assertFails("malformed", () => read(pair()[1], new Uint8Array(65536)));
  assertFails("unauthentic", () => read(pair()[1], new Uint8Array(65535)));
});

Deno.test("another key or another prologue is unauthentic", () => {
  const message = write(pair()[0]);
  const options = { initiator: false, prologue: Uint8Array.of(1, 2, 3), psk: PSK };
  const psk = new Uint8Array(32).fill(4);
  assertFails("unauthentic", () => read(new HandshakeState({ ...options, psk }), message));
  const prologue = Uint8Array.of(1, 2, 4);
  assertFails("unauthentic", () => read(new HandshakeState({ ...options, prologue }), message));
});

Deno.test("a reflected message is unauthentic", () => {
  const [initiator] = pair();
  const message = write(initiator);
  assertFails("unauthentic", () => read(initiator, message));
  assertOver(initiator);
});

Deno.test("a message 2 of another handshake is unauthentic", () => {
  const [initiator] = pair();
  write(initiator);
  const [other, responder] = pair();
  read(responder, write(other));
  assertFails("unauthentic", () => read(initiator, write(responder)));
});

Deno.test("the initiator fails for a responder's public key of low order", () => {
  // The public key is the point 0. The message fails before its tag is checked.
  const [initiator] = pair();
  write(initiator);
  assertFails("weak-key", () => read(initiator, new Uint8Array(48)));
  assertOver(initiator);
});

Deno.test("the responder fails for an initiator's public key of low order", () => {
  const prologue = NOTHING;
  const zero = Object.create(KeyPair.generate(), { publicKey: { value: new Uint8Array(32) } });
  const initiator = new HandshakeState({ initiator: true, prologue, psk: PSK, ephemeral: zero });
  const responder = new HandshakeState({ initiator: false, prologue, psk: PSK });
  read(responder, write(initiator));
  assertFails("weak-key", () => write(responder));
  assertOver(responder);
});

Deno.test("a message out of turn throws", () => {
  const [initiator, responder] = pair();
  assertThrows(() => write(responder), Error, "out of turn");
  assertThrows(() => read(initiator, new Uint8Array(48)), Error, "out of turn");
  assertThrows(() => initiator.split(), Error, "out of turn");
  const message = write(initiator);
  assertThrows(() => write(initiator), Error, "out of turn");
  read(responder, message);
  assertThrows(() => read(responder, message), Error, "out of turn");
  read(initiator, write(responder));
  initiator.split();
  assertOver(initiator);
  responder.wipe();
  assertOver(responder);
});

Deno.test("every handshake has new ephemeral keys", () => {
  assertNotEquals(write(pair()[0]), write(pair()[0]));
  assertNotEquals(connected().initiator.handshakeHash, connected().initiator.handshakeHash);
});

Deno.test("the caller's pre-shared key is not changed", () => {
  const psk = Buffer.alloc(32, 9);
  const prologue = NOTHING;
  const initiator = new HandshakeState({ initiator: true, prologue, psk });
  const responder = new HandshakeState({ initiator: false, prologue, psk });
  read(responder, write(initiator));
  read(initiator, write(responder));
  initiator.split();
  responder.wipe();
  assertEquals(psk, Buffer.alloc(32, 9));
});

Deno.test("a pre-shared key of another length than 32 bytes is a RangeError", () => {
  for (const length of [0, 31, 33]) {
    const psk = new Uint8Array(length);
    assertThrows(
      () => new HandshakeState({ initiator: true, prologue: NOTHING, psk }),
      RangeError,
    );
  }
});
