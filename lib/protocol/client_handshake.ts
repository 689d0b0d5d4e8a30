/**
 * The client's side of "IPCAUTH1" from the first byte to the server's answer.
 *
 * @module
 */
import { BARE_MESSAGE, HandshakeState, type Transport } from "../noise/handshake_state.ts";
import type { KeyPair } from "../noise/primitives.ts";
import { Channel } from "./channel.ts";
import { FrameReader, HEADER_LENGTH } from "./frame_reader.ts";
import { encodeHello, type Hello, parseAccept, parseReject } from "./greetings.ts";
import { keyId } from "../keys/key_id.ts";
import { preamble } from "./preamble.ts";
import {
  MAX_GREETING_CIPHERTEXT,
  MIN_CIPHERTEXT,
  openRecord,
  RECORD_OVERHEAD,
  RecordType,
  sealRecord,
} from "./records.ts";
import { type ProtocolError, protocolErrorOf } from "./protocol_error.ts";

const NOTHING = new Uint8Array(0);

/** What the client is to do, or to know. All but `send` are last words. */
export type ClientEvent =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | {
    /** The server holds the key, and has let us in. */
    readonly kind: "accepted";
    /** Whom the session acts as. */
    readonly user: string;
    readonly service: string;
    readonly channel: Channel;
    /** What came after ACCEPT: the channel's first bytes, in the memory of the chunk. */
    readonly rest: Uint8Array;
  }
  | {
    /** The server holds the key, and has not let us in. */
    readonly kind: "rejected";
    readonly reason: string;
  }
  | {
    /** The connection is to be closed. */
    readonly kind: "refused";
    readonly reason: ProtocolError;
  };

/** Says who we are and consumes the server's bytes until its answer. */
export class ClientHandshake {
  readonly #reader = new FrameReader();
  readonly #noise: HandshakeState;
  readonly #opening: Uint8Array;
  readonly #hello: Uint8Array;
  #step: "start" | "message 2" | "answer" | "over" = "start";
  #heard = false;
  #transport: Transport | null = null;

  /**
   * @param key 32 bytes; not changed, and not needed any more when this returns.
   * @param hello What to say when the server has proved that it holds the key.
   * @param ephemeral Our ephemeral key pair. Known only in tests; left out, it is generated.
   * @throws {Failure} When the user to act as cannot be one.
   */
  constructor(key: Uint8Array, hello: Hello, ephemeral?: KeyPair) {
    this.#hello = encodeHello(hello);
    const prologue = preamble(keyId(key));
    this.#noise = new HandshakeState({
      initiator: true,
      prologue,
      psk: key,
      ...(ephemeral === undefined ? {} : { ephemeral }),
    });
    const opening = new Uint8Array(prologue.length + HEADER_LENGTH + BARE_MESSAGE);
    opening.set(prologue);
    opening[prologue.length + 1] = BARE_MESSAGE;
    this.#noise.writeMessage(NOTHING, opening, prologue.length + HEADER_LENGTH);
    this.#opening = opening;
  }

  /** The preamble and message 1, to be sent first. */
  start(): Uint8Array {
    if (this.#step !== "start") throw new Error("a handshake was started twice");
    this.#step = "message 2";
    return this.#opening;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk Cut anywhere. Not kept, but for what an event says.
   * @returns What follows from them, in order; often nothing.
   */
  push(chunk: Uint8Array): readonly ClientEvent[] {
    if (this.#step === "start") throw new Error("a handshake was used before its start");
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    const events: ClientEvent[] = [];
    this.#heard ||= chunk.length > 0;
    try {
      this.#reader.push(chunk);
      for (;;) {
        const next = this.#step === "message 2" ? this.#readMessage() : this.#readAnswer();
        if (next === "more") return events;
        events.push(next);
        if (next.kind !== "send") return events;
      }
    } catch (error) {
      // Message 2 proves the key; what fails after it was tampered with.
      const unauthentic = this.#step === "message 2" ? "bad-key" : "corrupt";
      this.wipe();
      events.push(this.#refuse(protocolErrorOf(error, unauthentic)));
      return events;
    }
  }

  /** End-of-file from the server. Without a byte before it, it means that our key is not known there. */
  end(): ClientEvent {
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    return this.#refuse(this.#heard ? "truncated" : "bad-key");
  }

  /** Forgets the keys, when the connection is given up. */
  wipe(): void {
    this.#step = "over";
    this.#noise.wipe();
    this.#transport?.send.wipe();
    this.#transport?.receive.wipe();
    this.#transport = null;
  }

  #readMessage(): ClientEvent | "more" {
    const message = this.#reader.frame(BARE_MESSAGE, BARE_MESSAGE);
    if (message === null) return "more";
    if (typeof message === "string") return this.#refuse(message);
    this.#noise.readMessage(message);
    this.#transport = this.#noise.split();
    const bytes = new Uint8Array(RECORD_OVERHEAD + this.#hello.length);
    sealRecord(this.#transport.send, RecordType.hello, this.#hello, bytes, 0);
    this.#step = "answer";
    return { kind: "send", bytes };
  }

  #readAnswer(): ClientEvent | "more" {
    const record = this.#reader.frame(MIN_CIPHERTEXT, MAX_GREETING_CIPHERTEXT);
    if (record === null) return "more";
    if (typeof record === "string") return this.#refuse(record);
    if (this.#transport === null) throw new Error("a handshake has no keys yet");
    const { send, receive } = this.#transport;
    const { type, body } = openRecord(receive, record);
    switch (type) {
      case RecordType.accept: {
        const accept = parseAccept(body);
        if (accept === null) return this.#refuse("malformed");
        // The ciphers are the channel's now, so that wiping this state leaves them alone.
        this.#transport = null;
        this.#step = "over";
        const channel = new Channel(send, receive);
        return { kind: "accepted", ...accept, channel, rest: this.#reader.rest() };
      }
      case RecordType.reject: {
        const reason = parseReject(body);
        if (reason === null) return this.#refuse("malformed");
        this.wipe();
        return { kind: "rejected", reason };
      }
      case RecordType.data:
      case RecordType.fin:
      case RecordType.hello:
        return this.#refuse("unexpected");
      default:
        return this.#refuse("malformed");
    }
  }

  #refuse(reason: ProtocolError): ClientEvent {
    this.wipe();
    return { kind: "refused", reason };
  }
}
