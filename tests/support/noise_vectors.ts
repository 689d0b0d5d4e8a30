/** The Noise vectors of tests/vectors/, and helpers that run handshakes. */
import { CipherState } from "../../lib/noise/cipher_state.ts";
import { HandshakeState, type Transport } from "../../lib/noise/handshake_state.ts";
import { KeyPair } from "../../lib/noise/primitives.ts";

export const NOTHING: Uint8Array = new Uint8Array(0);

/** One message of a vector. */
export interface Message {
  readonly sender: "initiator" | "responder";
  readonly payload: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** A handshake and the messages after it. */
export interface Vector {
  readonly protocolName: string;
  readonly psk: Uint8Array;
  readonly prologue: Uint8Array;
  readonly initiatorEphemeral: Uint8Array;
  readonly responderEphemeral: Uint8Array;
  readonly handshakeHash: Uint8Array;
  readonly messages: readonly Message[];
}

/** Reads a member of a parsed JSON object. */
export function member(of: unknown, name: string): unknown {
  if (typeof of !== "object" || of === null || !(name in of)) throw new Error(`no ${name}`);
  return Reflect.get(of, name);
}

export function text(of: unknown, name: string): string {
  const value = member(of, name);
  if (typeof value !== "string") throw new Error(`${name} is not a text`);
  return value;
}

export function bytes(of: unknown, name: string): Uint8Array {
  return Uint8Array.fromHex(text(of, name));
}

export function list(of: unknown, name: string): unknown[] {
  const value = member(of, name);
  if (!Array.isArray(value)) throw new Error(`${name} is not a list`);
  return value;
}

export function sender(of: unknown): "initiator" | "responder" {
  const value = text(of, "sender");
  if (value !== "initiator" && value !== "responder") throw new Error(`sender ${value}`);
  return value;
}

/** Parses a file of tests/vectors/. */
export function readVectors(name: string): unknown {
  return JSON.parse(Deno.readTextFileSync(new URL(`../vectors/${name}`, import.meta.url)));
}

export const vectors: readonly Vector[] = list(readVectors("noise_nnpsk0.json"), "vectors")
  .map((vector) => ({
    protocolName: text(vector, "protocol_name"),
    psk: bytes(vector, "psk"),
    prologue: bytes(vector, "prologue"),
    initiatorEphemeral: bytes(vector, "initiator_ephemeral"),
    responderEphemeral: bytes(vector, "responder_ephemeral"),
    handshakeHash: bytes(vector, "handshake_hash"),
    messages: list(vector, "messages").map((message) => ({
      sender: sender(message),
      payload: bytes(message, "payload"),
      ciphertext: bytes(message, "ciphertext"),
    })),
  }));

/** Makes one side of a vector's handshake. */
export function side(vector: Vector, initiator: boolean): HandshakeState {
  return new HandshakeState({
    initiator,
    prologue: vector.prologue,
    psk: vector.psk,
    ephemeral: KeyPair.fromPrivateKey(
      initiator ? vector.initiatorEphemeral : vector.responderEphemeral,
    ),
  });
}

export function write(state: HandshakeState, payload: Uint8Array = NOTHING): Uint8Array {
  const out = new Uint8Array(payload.length + 48);
  return out.subarray(0, state.writeMessage(payload, out));
}

export function read(state: HandshakeState, message: Uint8Array): Uint8Array {
  return new Uint8Array(state.readMessage(message));
}

export function encrypt(
  state: CipherState,
  plaintext: Uint8Array,
  ad: Uint8Array = NOTHING,
): Uint8Array {
  const out = new Uint8Array(plaintext.length + 16);
  return out.subarray(0, state.encryptWithAd(ad, plaintext, out));
}

export function decrypt(
  state: CipherState,
  ciphertext: Uint8Array,
  ad: Uint8Array = NOTHING,
): Uint8Array {
  return new Uint8Array(state.decryptWithAd(ad, ciphertext));
}

/** Runs a handshake with new ephemeral keys to its end. */
export function connected(): { readonly initiator: Transport; readonly responder: Transport } {
  const psk = new Uint8Array(32).fill(7);
  const prologue = NOTHING;
  const initiator = new HandshakeState({ initiator: true, prologue, psk });
  const responder = new HandshakeState({ initiator: false, prologue, psk });
  read(responder, write(initiator));
  read(initiator, write(responder));
  return { initiator: initiator.split(), responder: responder.split() };
}
