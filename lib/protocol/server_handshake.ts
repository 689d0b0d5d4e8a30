/**
 * The server's side of "IPCAUTH1", from the first byte to the answer. It does no I/O: the caller
 * passes the received bytes in and sends the bytes that it is given.
 *
 * Specified in [section 2](../../docs/protocol.md#2-handshake) and
 * [section 4 of docs/protocol.md](../../docs/protocol.md#4-greetings).
 *
 * @module
 */
import { BARE_MESSAGE_BYTES, HandshakeState, type Transport } from "../noise/handshake_state.ts";
import { type KeyPair, randomBytes } from "../noise/primitives.ts";
import { Channel } from "./channel.ts";
import { FrameReader, HEADER_LENGTH } from "./frame_reader.ts";
import { type Accept, encodeAccept, encodeReject, parseHello } from "./greetings.ts";
import { KEY_ID_LENGTH, KEY_LENGTH } from "../keys/key_id.ts";
import { MAGIC, preamble } from "./preamble.ts";
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

let decoy: Uint8Array | null = null;

/**
 * A random key that no client holds. It is drawn once: a key of a file lives as long, and both are
 * read in the same way. Drawn at its first use, because loading the cryptography takes time.
 */
function decoyKey(): Uint8Array {
  return decoy ??= randomBytes(KEY_LENGTH);
}

/**
 * Finds a key by its id, of [section 1](../../docs/protocol.md#1-keys).
 *
 * @param keyId 16 hexadecimal digits from a client that is not authenticated.
 */
export type KeyLookup = (keyId: string) => KeyLookupResult;

/**
 * The 32 bytes of a key, which are not changed; null when no key has the id; or after how many
 * milliseconds the lookup is to be called again, because the keys cannot be known now.
 */
export type KeyLookupResult = Uint8Array | null | { readonly wait: number };

/**
 * The progress of a {@linkcode ServerHandshake}. No event follows one of a kind other than `send`,
 * but for `delayed`, which {@linkcode ServerHandshake.resume} follows.
 */
export type ServerEvent =
  | {
    /** The bytes must be sent to the client. */
    readonly kind: "send";
    readonly bytes: Uint8Array;
  }
  | {
    /** Nothing may be pushed until `resume` was called, after so many milliseconds. */
    readonly kind: "delayed";
    readonly wait: number;
  }
  | {
    /** The client has proved that it holds the key. It must be answered with accept or reject. */
    readonly kind: "hello";
    readonly keyId: string;
    readonly client: string;
    /** The user that the client wants to act as, or null. */
    readonly user: string | null;
    /** The bytes after HELLO, for the channel. They lie in the memory of the chunk. */
    readonly rest: Uint8Array;
  }
  | {
    /** The handshake has failed. The connection must be closed without sending a byte. */
    readonly kind: "failed";
    readonly error: ProtocolError;
    /** The key id that the client has sent, or null. It is not authenticated: for the log only. */
    readonly keyId: string | null;
  };

/**
 * The server's side of a handshake, of [section 2](../../docs/protocol.md#2-handshake) and
 * [section 4](../../docs/protocol.md#4-greetings).
 *
 * @example
 * ```ts
 * const handshake = new ServerHandshake((id) => keys.get(id) ?? null);
 * for (const event of handshake.push(chunk)) {
 *   switch (event.kind) {
 *     case "send":
 *       socket.write(event.bytes);
 *       break;
 *     case "hello": {
 *       const { bytes, channel } = handshake.accept({ user: "bob", service: "console" });
 *       socket.write(bytes);
 *       serve(channel, event.rest);
 *       break;
 *     }
 *     case "failed":
 *       socket.close();
 *   }
 * }
 * ```
 */
export class ServerHandshake {
  readonly #reader = new FrameReader();
  readonly #lookup: KeyLookup;
  readonly #ephemeral: KeyPair | undefined;
  #step: "magic" | "key id" | "message 1" | "hello" | "decision" | "over" = "magic";
  #keyId: string | null = null;
  /** Message 1, while the lookup is to be asked again. */
  #delayed: Uint8Array | null = null;
  #transport: Transport | null = null;

  /**
   * @param lookup Finds the keys; called when message 1 is complete, and again after a delay.
   * @param ephemeral The ephemeral key pair, which tests fix. Omitted: a new one.
   */
  constructor(lookup: KeyLookup, ephemeral?: KeyPair) {
    this.#lookup = lookup;
    this.#ephemeral = ephemeral;
  }

  /** The key id that the client has sent, or null. It is not authenticated: for the log only. */
  get claimedKeyId(): string | null {
    return this.#keyId;
  }

  /**
   * Whether message 1 was made with the key. It may be a replay, and it authenticates nothing.
   */
  get hasOpened(): boolean {
    return this.#transport !== null;
  }

  /**
   * Takes bytes of the client.
   *
   * @param chunk The next bytes received. They may end anywhere in a message, and are kept only as
   * `rest` of an event.
   * @returns The events that the chunk causes, in order; often none.
   * @throws {Error} After an event of a kind other than `send`.
   * @throws The exception of the lookup; the handshake is over.
   */
  push(chunk: Uint8Array): readonly ServerEvent[] {
    if (this.#step === "over" || this.#step === "decision") {
      throw new Error("a handshake was used after its end");
    }
    if (this.#delayed !== null) throw new Error("a delayed handshake was not resumed");
    return this.#run(() => {
      this.#reader.push(chunk);
      return this.#advance();
    });
  }

  /**
   * Asks the lookup again, after the event `delayed`.
   *
   * @returns The events, as {@linkcode push} does.
   * @throws {Error} When there was no such event.
   */
  resume(): readonly ServerEvent[] {
    const message = this.#delayed;
    if (message === null) throw new Error("a handshake was resumed that was not delayed");
    this.#delayed = null;
    return this.#run(() => this.#readMessage(message));
  }

  #run(first: () => ServerEvent | "more" | "again"): readonly ServerEvent[] {
    const events: ServerEvent[] = [];
    try {
      for (let next = first();; next = this.#advance()) {
        if (next === "more") return events;
        if (next === "again") continue;
        events.push(next);
        if (next.kind !== "send") return events;
      }
    } catch (error) {
      // Only HELLO proves the key: message 1 may be a replay.
      this.wipe();
      events.push(this.#fail(protocolErrorOf(error, "bad-key")));
      return events;
    }
  }

  /**
   * Must be called at end-of-file from the client.
   *
   * @returns The event `failed` with `truncated`.
   * @throws {Error} After the handshake is over.
   */
  end(): ServerEvent {
    if (this.#step === "over") throw new Error("a handshake was used after its end");
    return this.#fail("truncated");
  }

  /**
   * Accepts the client, after the event `hello`. The handshake is over then.
   *
   * @param answer The content of ACCEPT.
   * @returns The bytes to send, and the channel for all bytes that follow, `rest` of the event
   * first.
   * @throws {Error} Before the event `hello`, or after an earlier answer.
   */
  accept(answer: Accept): { readonly bytes: Uint8Array; readonly channel: Channel } {
    const bytes = this.#answer(RecordType.accept, encodeAccept(answer));
    const { send, receive } = this.#ciphers();
    this.#transport = null;
    this.#step = "over";
    return { bytes, channel: new Channel(send, receive) };
  }

  /**
   * Denies the client, after the event `hello`. The handshake is over then.
   *
   * @param reason The reason that the client is told.
   * @returns The bytes to send before the connection is closed.
   * @throws {Error} Before the event `hello`, or after an earlier answer.
   */
  reject(reason: string): Uint8Array {
    const bytes = this.#answer(RecordType.reject, encodeReject(reason));
    this.wipe();
    return bytes;
  }

  /** Ends the handshake and wipes the keys. Every later use of it throws. */
  wipe(): void {
    this.#step = "over";
    this.#delayed = null;
    this.#transport?.send.wipe();
    this.#transport?.receive.wipe();
    this.#transport = null;
  }

  #advance(): ServerEvent | "more" | "again" {
    switch (this.#step) {
      case "magic": {
        const magic = this.#reader.take(MAGIC.length);
        if (magic === null) return "more";
        if (!MAGIC.every((byte, index) => byte === magic[index])) return this.#fail("malformed");
        this.#step = "key id";
        return "again";
      }
      case "key id": {
        const id = this.#reader.take(KEY_ID_LENGTH);
        if (id === null) return "more";
        this.#keyId = new Uint8Array(id).toHex();
        this.#step = "message 1";
        return "again";
      }
      case "message 1": {
        const message = this.#reader.frame(BARE_MESSAGE_BYTES, BARE_MESSAGE_BYTES);
        if (message === null) return "more";
        return typeof message === "string" ? this.#fail(message) : this.#readMessage(message);
      }
      case "hello": {
        const record = this.#reader.frame(MIN_CIPHERTEXT_BYTES, MAX_GREETING_CIPHERTEXT_BYTES);
        if (record === null) return "more";
        return typeof record === "string" ? this.#fail(record) : this.#readHello(record);
      }
      case "decision":
      case "over":
        throw new Error("a handshake was used after its end");
    }
  }

  #readMessage(message: Uint8Array): ServerEvent {
    const keyId = this.#claimed();
    // An unknown key id is treated like a wrong key: message 1 is read with the decoy, and fails.
    const key = this.#lookup(keyId);
    if (key !== null && "wait" in key) {
      this.#delayed = message.slice();
      return { kind: "delayed", wait: key.wait };
    }
    const noise = new HandshakeState({
      initiator: false,
      prologue: preamble(keyId),
      psk: key ?? decoyKey(),
      ...(this.#ephemeral === undefined ? {} : { ephemeral: this.#ephemeral }),
    });
    noise.readMessage(message);
    if (key === null) return this.#fail("bad-key");
    const bytes = new Uint8Array(HEADER_LENGTH + BARE_MESSAGE_BYTES);
    bytes[1] = BARE_MESSAGE_BYTES;
    noise.writeMessage(NOTHING, bytes, HEADER_LENGTH);
    this.#transport = noise.split();
    this.#step = "hello";
    return { kind: "send", bytes };
  }

  #readHello(record: Uint8Array): ServerEvent {
    const { receive } = this.#ciphers();
    const { type, body } = openRecord(receive, record);
    if (type !== RecordType.hello) {
      const known = Object.values(RecordType).some((value) => value === type);
      return this.#fail(known ? "unexpected" : "malformed");
    }
    const hello = parseHello(body);
    if (hello === null) return this.#fail("malformed");
    this.#step = "decision";
    return { kind: "hello", keyId: this.#claimed(), ...hello, rest: this.#reader.rest() };
  }

  #answer(type: typeof RecordType.accept | typeof RecordType.reject, body: Uint8Array): Uint8Array {
    if (this.#step !== "decision") throw new Error("a client was answered before it was known");
    const bytes = new Uint8Array(RECORD_OVERHEAD_BYTES + body.length);
    sealRecord(this.#ciphers().send, type, body, bytes, 0);
    return bytes;
  }

  #claimed(): string {
    if (this.#keyId === null) throw new Error("a handshake has no key id yet");
    return this.#keyId;
  }

  #ciphers(): Transport {
    if (this.#transport === null) throw new Error("a handshake has no keys yet");
    return this.#transport;
  }

  #fail(error: ProtocolError): ServerEvent {
    this.wipe();
    return { kind: "failed", error, keyId: this.#keyId };
  }
}
