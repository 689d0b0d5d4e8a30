/**
 * The server's side of "IPCAUTH1" from the first byte to the decision.
 *
 * @module
 */
import { BARE_MESSAGE, HandshakeState, type Transport } from "../noise/handshake_state.ts";
import { type KeyPair, randomBytes } from "../noise/primitives.ts";
import { Channel } from "./channel.ts";
import { FrameReader, HEADER_LENGTH } from "./frame_reader.ts";
import { type Accept, encodeAccept, encodeReject, parseHello } from "./greetings.ts";
import { KEY_ID_LENGTH, KEY_LENGTH } from "../keys/key_id.ts";
import { MAGIC, preamble } from "./preamble.ts";
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

/**
 * Finds a key by its id.
 *
 * @param keyId 16 hexadecimal digits, as a stranger has sent them.
 * @returns The 32 bytes of the key, which are not changed; null when there is none of that id.
 */
export type KeyLookup = (keyId: string) => Uint8Array | null;

/** What the server is to do, or to know. `hello` and `refused` are last words. */
export type ServerEvent =
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  | {
    /** The client holds the key. Until now nothing was certain. */
    readonly kind: "hello";
    readonly keyId: string;
    readonly client: string;
    /** Whom it wants to act as, or null. */
    readonly user: string | null;
    /** What came after HELLO: the channel's first bytes, in the memory of the chunk. */
    readonly rest: Uint8Array;
  }
  | {
    /** The connection is to be closed without a byte. */
    readonly kind: "refused";
    readonly reason: ProtocolError;
    /** The id the client has claimed, or null when it has not come that far. For the log only. */
    readonly keyId: string | null;
  };

/** Consumes the client's bytes until HELLO, or until there is nothing to hope for. */
export class ServerHandshake {
  readonly #reader = new FrameReader();
  readonly #lookup: KeyLookup;
  readonly #ephemeral: KeyPair | undefined;
  #step: "magic" | "key id" | "message 1" | "hello" | "decision" | "over" = "magic";
  #keyId: string | null = null;
  #transport: Transport | null = null;

  /**
   * @param lookup Where the keys are.
   * @param ephemeral Our ephemeral key pair. Known only in tests; left out, it is generated.
   */
  constructor(lookup: KeyLookup, ephemeral?: KeyPair) {
    this.#lookup = lookup;
    this.#ephemeral = ephemeral;
  }

  /** The id the client has claimed, or null when it has not come that far. For the log only. */
  get claimedKeyId(): string | null {
    return this.#keyId;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk Cut anywhere. Not kept, but for what an event says.
   * @returns What follows from them, in order; often nothing.
   */
  push(chunk: Uint8Array): readonly ServerEvent[] {
    if (this.#step === "over" || this.#step === "decision") {
      throw new Error("a handshake was used after its end");
    }
    const events: ServerEvent[] = [];
    try {
      this.#reader.push(chunk);
      for (;;) {
        const next = this.#advance();
        if (next === "more") return events;
        if (next === "on") continue;
        events.push(next);
        if (next.kind !== "send") return events;
      }
    } catch (error) {
      // Until HELLO is open the key is not proved: a replay of message 1 comes as far as here.
      this.wipe();
      events.push(this.#refuse(protocolErrorOf(error, "bad-key")));
      return events;
    }
  }

  /** End-of-file from the client. There is nothing left to do but to close. */
  end(): ServerEvent {
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    return this.#refuse("truncated");
  }

  /**
   * Lets the client in, after `hello`. This state is over then.
   *
   * @returns The bytes to send, and the channel for all that follows, `rest` first.
   */
  accept(answer: Accept): { readonly bytes: Uint8Array; readonly channel: Channel } {
    const bytes = this.#answer(RecordType.accept, encodeAccept(answer));
    const { send, receive } = this.#decided();
    this.#transport = null;
    this.#step = "over";
    return { bytes, channel: new Channel(send, receive) };
  }

  /**
   * Tells the client why not, after `hello`. This state is over then, and so is the connection.
   *
   * @returns The bytes to send.
   */
  reject(reason: string): Uint8Array {
    const bytes = this.#answer(RecordType.reject, encodeReject(reason));
    this.wipe();
    return bytes;
  }

  /** Forgets the keys, when the connection is given up. */
  wipe(): void {
    this.#step = "over";
    this.#transport?.send.wipe();
    this.#transport?.receive.wipe();
    this.#transport = null;
  }

  #advance(): ServerEvent | "more" | "on" {
    switch (this.#step) {
      case "magic": {
        const magic = this.#reader.take(MAGIC.length);
        if (magic === null) return "more";
        if (!MAGIC.every((byte, index) => byte === magic[index])) return this.#refuse("malformed");
        this.#step = "key id";
        return "on";
      }
      case "key id": {
        const id = this.#reader.take(KEY_ID_LENGTH);
        if (id === null) return "more";
        this.#keyId = new Uint8Array(id).toHex();
        this.#step = "message 1";
        return "on";
      }
      case "message 1": {
        const message = this.#reader.frame(BARE_MESSAGE, BARE_MESSAGE);
        if (message === null) return "more";
        return typeof message === "string" ? this.#refuse(message) : this.#readMessage(message);
      }
      case "hello": {
        const record = this.#reader.frame(MIN_CIPHERTEXT, MAX_GREETING_CIPHERTEXT);
        if (record === null) return "more";
        return typeof record === "string" ? this.#refuse(record) : this.#readHello(record);
      }
      case "decision":
      case "over":
        throw new Error("a handshake was used after its end");
    }
  }

  #readMessage(message: Uint8Array): ServerEvent {
    const keyId = this.#claimed();
    // Drawn for known ids, too: both ways are to be the same work.
    const nobodys = randomBytes(KEY_LENGTH);
    const key = this.#lookup(keyId);
    const noise = new HandshakeState({
      initiator: false,
      prologue: preamble(keyId),
      psk: key ?? nobodys,
      ...(this.#ephemeral === undefined ? {} : { ephemeral: this.#ephemeral }),
    });
    noise.readMessage(message);
    if (key === null) return this.#refuse("bad-key");
    const bytes = new Uint8Array(HEADER_LENGTH + BARE_MESSAGE);
    bytes[1] = BARE_MESSAGE;
    noise.writeMessage(NOTHING, bytes, HEADER_LENGTH);
    this.#transport = noise.split();
    this.#step = "hello";
    return { kind: "send", bytes };
  }

  #readHello(record: Uint8Array): ServerEvent {
    const { receive } = this.#decided();
    const { type, body } = openRecord(receive, record);
    if (type !== RecordType.hello) {
      const known = Object.values(RecordType).some((value) => value === type);
      return this.#refuse(known ? "unexpected" : "malformed");
    }
    const hello = parseHello(body);
    if (hello === null) return this.#refuse("malformed");
    this.#step = "decision";
    return { kind: "hello", keyId: this.#claimed(), ...hello, rest: this.#reader.rest() };
  }

  #answer(type: typeof RecordType.accept | typeof RecordType.reject, body: Uint8Array): Uint8Array {
    if (this.#step !== "decision") throw new Error("a client was answered before it was known");
    const bytes = new Uint8Array(RECORD_OVERHEAD + body.length);
    sealRecord(this.#decided().send, type, body, bytes, 0);
    return bytes;
  }

  #claimed(): string {
    if (this.#keyId === null) throw new Error("a handshake has no key id yet");
    return this.#keyId;
  }

  #decided(): Transport {
    if (this.#transport === null) throw new Error("a handshake has no keys yet");
    return this.#transport;
  }

  #refuse(reason: ProtocolError): ServerEvent {
    this.wipe();
    return { kind: "refused", reason, keyId: this.#keyId };
  }
}
