/**
 * The HandshakeState of the Noise Protocol Framework, revision 34, section 5.3, for one pattern
 * (sections 7.4 and 9.4):
 *
 * ```
 * NNpsk0:
 *   -> psk, e
 *   <- e, ee
 * ```
 *
 * @module
 */
import { type CipherState, MAX_MESSAGE_BYTES } from "./cipher_state.ts";
import { NoiseError } from "./noise_error.ts";
import { DH_LENGTH, HASH_LENGTH, KeyPair, TAG_LENGTH } from "./primitives.ts";
import { SymmetricState } from "./symmetric_state.ts";

/** The protocol name, which initializes the handshake hash: section 8. */
export const PROTOCOL_NAME = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
/** Length of each handshake message with an empty payload, in bytes: a public key and a tag. */
export const BARE_MESSAGE_BYTES = DH_LENGTH + TAG_LENGTH;

/** The parameters of `Initialize()`. */
export interface HandshakeOptions {
  readonly initiator: boolean;
  /** The bytes that both sides have sent or received before message 1. */
  readonly prologue: Uint8Array;
  /**
   * The pre-shared key, 32 bytes. It is read with message 1, and is neither changed nor kept
   * afterwards.
   */
  readonly psk: Uint8Array;
  /** The ephemeral key pair of this side, which tests fix. Omitted: a new one. */
  readonly ephemeral?: KeyPair;
}

/** The result of a handshake: the ciphers of the transport phase. */
export interface Transport {
  /** For the messages of this side. */
  readonly send: CipherState;
  /** For the messages of the other side. */
  readonly receive: CipherState;
  /** The handshake hash, 32 bytes, which no other handshake has: section 11.2. */
  readonly handshakeHash: Uint8Array;
}

/**
 * One side of a handshake, of the Noise specification's
 * [section 5.3](https://noiseprotocol.org/noise.html#the-handshakestate-object).
 *
 * A failure is final: the state is wiped, and every later call throws.
 *
 * @example Both sides, which exchange empty payloads
 * ```ts
 * const empty = new Uint8Array(0);
 * const initiator = new HandshakeState({ initiator: true, prologue, psk });
 * const responder = new HandshakeState({ initiator: false, prologue, psk });
 *
 * const message1 = new Uint8Array(BARE_MESSAGE_BYTES);
 * initiator.writeMessage(empty, message1);
 * responder.readMessage(message1);
 *
 * const message2 = new Uint8Array(BARE_MESSAGE_BYTES);
 * responder.writeMessage(empty, message2);
 * initiator.readMessage(message2);
 *
 * const { send, receive } = initiator.split();
 * ```
 */
export class HandshakeState {
  readonly #symmetric = new SymmetricState(PROTOCOL_NAME);
  readonly #initiator: boolean;
  #psk: Uint8Array | null;
  #ephemeral: KeyPair | null;
  #remoteEphemeral: Uint8Array | null = null;
  /** 0: message 1 is next; 1: message 2 is next; 2: `split()` is next; 3: the state is wiped. */
  #turn: 0 | 1 | 2 | 3 = 0;

  /**
   * `Initialize()`.
   *
   * @throws {RangeError} When the pre-shared key has not 32 bytes.
   */
  constructor({ initiator, prologue, psk, ephemeral }: HandshakeOptions) {
    if (psk.length !== HASH_LENGTH) {
      throw new RangeError(`a pre-shared key has ${HASH_LENGTH} bytes`);
    }
    this.#initiator = initiator;
    this.#psk = psk;
    this.#ephemeral = ephemeral ?? null;
    this.#symmetric.mixHash(prologue);
  }

  /**
   * `WriteMessage(payload)`.
   *
   * @param payload At most 65,487 bytes.
   * @param out Receives the message.
   * @param at The position of the first byte in `out`.
   * @returns The number of bytes written: 48 more than the payload has.
   * @throws {NoiseError} `weak-key` for the responder.
   * @throws {RangeError} When the payload is longer, or `out` is too short.
   * @throws {Error} When it is the other side's turn.
   */
  writeMessage(payload: Uint8Array, out: Uint8Array, at = 0): number {
    this.#requireTurn(this.#initiator ? 0 : 1);
    const length = BARE_MESSAGE_BYTES + payload.length;
    if (length > MAX_MESSAGE_BYTES) {
      throw new RangeError(`a message has at most ${MAX_MESSAGE_BYTES} bytes`);
    }
    if (out.length - at < length) throw new RangeError(`${length} bytes of space are needed`);
    return this.#step(() => {
      this.#mixPsk();
      this.#ephemeral ??= KeyPair.generate();
      out.set(this.#ephemeral.publicKey, at);
      this.#mixEphemeral(this.#ephemeral.publicKey);
      this.#mixAgreement();
      return DH_LENGTH + this.#symmetric.encryptAndHash(payload, out, at + DH_LENGTH);
    });
  }

  /**
   * `ReadMessage(message)`.
   *
   * @param message From the peer.
   * @returns The payload.
   * @throws {NoiseError} `malformed`, `unauthentic`, or for the initiator `weak-key`.
   * @throws {Error} When it is this side's turn.
   */
  readMessage(message: Uint8Array): Uint8Array {
    this.#requireTurn(this.#initiator ? 1 : 0);
    return this.#step(() => {
      if (message.length < BARE_MESSAGE_BYTES || message.length > MAX_MESSAGE_BYTES) {
        throw new NoiseError("malformed");
      }
      this.#mixPsk();
      this.#remoteEphemeral = new Uint8Array(message.subarray(0, DH_LENGTH));
      this.#mixEphemeral(this.#remoteEphemeral);
      this.#mixAgreement();
      return this.#symmetric.decryptAndHash(message.subarray(DH_LENGTH));
    });
  }

  /**
   * `Split()`, after message 2. The state is wiped.
   *
   * @returns The ciphers of both directions.
   * @throws {Error} Before message 2.
   */
  split(): Transport {
    this.#requireTurn(2);
    const handshakeHash = this.#symmetric.getHandshakeHash();
    const [initiator, responder] = this.#symmetric.split();
    this.wipe();
    return this.#initiator
      ? { send: initiator, receive: responder, handshakeHash }
      : { send: responder, receive: initiator, handshakeHash };
  }

  /** Wipes the state. Every later call throws. */
  wipe(): void {
    this.#turn = 3;
    this.#psk = null;
    this.#ephemeral = null;
    this.#remoteEphemeral = null;
    this.#symmetric.wipe();
  }

  #step<Result>(message: () => Result): Result {
    try {
      const result = message();
      this.#turn = this.#turn === 0 ? 1 : 2;
      return result;
    } catch (error) {
      this.wipe();
      throw error;
    }
  }

  /** The token `psk` of message 1: section 9.2. */
  #mixPsk(): void {
    if (this.#turn !== 0) return;
    if (this.#psk === null) throw new Error("message 1 has no pre-shared key");
    this.#symmetric.mixKeyAndHash(this.#psk);
    this.#psk = null;
  }

  /**
   * The token `e`. In a handshake with a pre-shared key the key depends on it as well: section 9.2.
   */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey);
    this.#symmetric.mixKey(publicKey);
  }

  /** The token `ee` of message 2. */
  #mixAgreement(): void {
    if (this.#turn !== 1) return;
    if (this.#ephemeral === null || this.#remoteEphemeral === null) {
      throw new Error("message 2 has no keys");
    }
    const secret = this.#ephemeral.agree(this.#remoteEphemeral);
    this.#symmetric.mixKey(secret);
    secret.fill(0);
  }

  #requireTurn(turn: 0 | 1 | 2): void {
    if (this.#turn !== turn) throw new Error("a handshake message is out of turn");
  }
}
