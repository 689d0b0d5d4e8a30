/**
 * The client's side of "IPCAUTH1", from the first byte to the server's answer. It does no I/O: the
 * caller passes the received bytes in and sends the bytes that it is given.
 *
 * Specified in [section 2](../../docs/protocol.md#2-handshake) and
 * [section 4 of docs/protocol.md](../../docs/protocol.md#4-greetings).
 *
 * @module
 */
import { BARE_MESSAGE_BYTES, HandshakeState, type Transport } from "../noise/handshake_state.ts";
import type { KeyPair } from "../noise/primitives.ts";
import { Channel } from "./channel.ts";
import { FrameReader, HEADER_LENGTH } from "./frame_reader.ts";
import { encodeHello, type Hello, parseAccept, parseReject } from "./greetings.ts";
import { keyId } from "../keys/key_id.ts";
import { preamble } from "./preamble.ts";
import {
  MAX_GREETING_CIPHERTEXT_BYTES,
  MIN_CIPHERTEXT_BYTES,
  openRecord,
  RECORD_OVERHEAD_BYTES,
  RecordType,
  sealRecord,
} from "./records.ts";
import { type ProtocolError, protocolErrorOf } from "./protocol_error.ts";

const NOTHING = new Uint8Array(0);

/**
 * The progress of a {@linkcode ClientHandshake}. No event follows one of a kind other than `send`.
 */
export type ClientEvent =
  | {
    /** The bytes must be sent to the server. */
    readonly kind: "send";
    readonly bytes: Uint8Array;
  }
  | {
    /** The server holds the key, and has authorized the client. */
    readonly kind: "accepted";
    /** The user that the session acts as. */
    readonly user: string;
    readonly service: string;
    readonly channel: Channel;
    /** The bytes after ACCEPT, for the channel. They lie in the memory of the chunk. */
    readonly rest: Uint8Array;
  }
  | {
    /** The server holds the key, and has denied the client. The connection must be closed. */
    readonly kind: "rejected";
    readonly reason: string;
  }
  | {
    /** The handshake has failed. The connection must be closed. */
    readonly kind: "failed";
    readonly error: ProtocolError;
  };

/**
 * The client's side of a handshake, of [section 2](../../docs/protocol.md#2-handshake) and
 * [section 4](../../docs/protocol.md#4-greetings).
 */
export class ClientHandshake {
  readonly #reader = new FrameReader();
  readonly #noise: HandshakeState;
  readonly #opening: Uint8Array;
  readonly #hello: Uint8Array;
  #step: "start" | "message 2" | "answer" | "over" = "start";
  #hasReceived = false;
  #transport: Transport | null = null;

  /**
   * @param key 32 bytes, neither changed nor kept.
   * @param hello Sent once the server has proved that it holds the key.
   * @param ephemeral The ephemeral key pair, which tests fix. Omitted: a new one.
   * @throws {Failure} 64 when the user to act as may not be sent.
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
    const opening = new Uint8Array(prologue.length + HEADER_LENGTH + BARE_MESSAGE_BYTES);
    opening.set(prologue);
    opening[prologue.length + 1] = BARE_MESSAGE_BYTES;
    this.#noise.writeMessage(NOTHING, opening, prologue.length + HEADER_LENGTH);
    this.#opening = opening;
  }

  /**
   * Starts the handshake.
   *
   * @returns The preamble and message 1, 66 bytes, which must be sent first.
   * @throws {Error} When it was called before.
   */
  start(): Uint8Array {
    if (this.#step !== "start") throw new Error("a handshake was started twice");
    this.#step = "message 2";
    return this.#opening;
  }

  /**
   * Takes bytes of the server.
   *
   * @param chunk The next bytes received. They may end anywhere in a message, and are kept only as
   * `rest` of an event.
   * @returns The events that the chunk causes, in order; often none.
   * @throws {Error} Before {@linkcode start}, or after an event of a kind other than `send`.
   */
  push(chunk: Uint8Array): readonly ClientEvent[] {
    if (this.#step === "start") throw new Error("a handshake was used before its start");
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    const events: ClientEvent[] = [];
    this.#hasReceived ||= chunk.length > 0;
    try {
      this.#reader.push(chunk);
      for (;;) {
        const next = this.#step === "message 2" ? this.#readMessage() : this.#readAnswer();
        if (next === "more") return events;
        events.push(next);
        if (next.kind !== "send") return events;
      }
    } catch (error) {
      // Message 2 has proved the server's key; a record that fails after it was changed on its way.
      const unauthentic = this.#step === "message 2" ? "bad-key" : "corrupt";
      this.wipe();
      events.push(this.#fail(protocolErrorOf(error, unauthentic)));
      return events;
    }
  }

  /**
   * Must be called at end-of-file from the server.
   *
   * @returns The event `failed`: `truncated`, or `bad-key` when the server has sent no byte, which
   * it does when it does not know the key.
   * @throws {Error} After an event of a kind other than `send`.
   */
  end(): ClientEvent {
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    return this.#fail(this.#hasReceived ? "truncated" : "bad-key");
  }

  /** Ends the handshake and wipes the keys. Every later use of it throws. */
  wipe(): void {
    this.#step = "over";
    this.#noise.wipe();
    this.#transport?.send.wipe();
    this.#transport?.receive.wipe();
    this.#transport = null;
  }

  #readMessage(): ClientEvent | "more" {
    const message = this.#reader.frame(BARE_MESSAGE_BYTES, BARE_MESSAGE_BYTES);
    if (message === null) return "more";
    if (typeof message === "string") return this.#fail(message);
    this.#noise.readMessage(message);
    this.#transport = this.#noise.split();
    const bytes = new Uint8Array(RECORD_OVERHEAD_BYTES + this.#hello.length);
    sealRecord(this.#transport.send, RecordType.hello, this.#hello, bytes, 0);
    this.#step = "answer";
    return { kind: "send", bytes };
  }

  #readAnswer(): ClientEvent | "more" {
    const record = this.#reader.frame(MIN_CIPHERTEXT_BYTES, MAX_GREETING_CIPHERTEXT_BYTES);
    if (record === null) return "more";
    if (typeof record === "string") return this.#fail(record);
    if (this.#transport === null) throw new Error("a handshake has no keys yet");
    const { send, receive } = this.#transport;
    const { type, body } = openRecord(receive, record);
    switch (type) {
      case RecordType.accept: {
        const accept = parseAccept(body);
        if (accept === null) return this.#fail("malformed");
        // The channel owns the ciphers now: wiping this handshake must not wipe them.
        this.#transport = null;
        this.#step = "over";
        const channel = new Channel(send, receive);
        return { kind: "accepted", ...accept, channel, rest: this.#reader.rest() };
      }
      case RecordType.reject: {
        const reason = parseReject(body);
        if (reason === null) return this.#fail("malformed");
        this.wipe();
        return { kind: "rejected", reason };
      }
      case RecordType.data:
      case RecordType.fin:
      case RecordType.hello:
        return this.#fail("unexpected");
      default:
        return this.#fail("malformed");
    }
  }

  #fail(error: ProtocolError): ClientEvent {
    this.wipe();
    return { kind: "failed", error };
  }
}
