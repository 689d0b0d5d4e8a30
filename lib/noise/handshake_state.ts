/**
 * The HandshakeState of the Noise Protocol Framework, revision 34, section 5.3, for the one pattern this
 * program speaks:
 *
 * ```
 * NNpsk0:
 *   -> psk, e
 *   <- e, ee
 * ```
 *
 * @module
 */
import { type CipherState, MAX_MESSAGE } from "./cipher_state.ts";
import { NoiseFailure } from "./noise_failure.ts";
import { DH_LENGTH, HASH_LENGTH, KeyPair, TAG_LENGTH } from "./primitives.ts";
import { SymmetricState } from "./symmetric_state.ts";

/** The name both sides hash before anything else. */
export const PROTOCOL_NAME = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
/** Length of either message when its payload is empty, in bytes. */
export const BARE_MESSAGE = DH_LENGTH + TAG_LENGTH;

/** What a handshake begins with. */
export interface HandshakeSetup {
  readonly initiator: boolean;
  /** What both sides have seen before message 1. */
  readonly prologue: Uint8Array;
  /** 32 bytes. Read when message 1 is written or read; neither kept afterwards nor wiped. */
  readonly psk: Uint8Array;
  /** This side's ephemeral key pair. Known only in tests; left out, it is generated. */
  readonly ephemeral?: KeyPair;
}

/** What a finished handshake leaves behind. */
export interface Transport {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** 32 bytes that name this handshake and no other (section 11.2). */
  readonly handshakeHash: Uint8Array;
}

/**
 * One side of a handshake. A failure is final: the state is wiped, and every later call throws.
 */
export class HandshakeState {
  readonly #symmetric = new SymmetricState(PROTOCOL_NAME);
  readonly #initiator: boolean;
  #psk: Uint8Array | null;
  #ephemeral: KeyPair | null;
  #theirs: Uint8Array | null = null;
  /** 0: message 1 is due; 1: message 2 is due; 2: to be split; 3: over. */
  #turn: 0 | 1 | 2 | 3 = 0;

  /** Initialize. */
  constructor({ initiator, prologue, psk, ephemeral }: HandshakeSetup) {
    if (psk.length !== HASH_LENGTH) {
      throw new RangeError(`a pre-shared key has ${HASH_LENGTH} bytes`);
    }
    this.#initiator = initiator;
    this.#psk = psk;
    this.#ephemeral = ephemeral ?? null;
    this.#symmetric.mixHash(prologue);
  }

  /**
   * WriteMessage.
   *
   * @param payload May be empty.
   * @param out Receives the message from `at` on.
   * @returns How many bytes were written: 48 more than the payload has.
   * @throws {NoiseFailure} `weak-key`.
   */
  writeMessage(payload: Uint8Array, out: Uint8Array, at = 0): number {
    this.#requireTurn(this.#initiator ? 0 : 1);
    const length = BARE_MESSAGE + payload.length;
    if (length > MAX_MESSAGE) throw new RangeError(`a message has at most ${MAX_MESSAGE} bytes`);
    if (out.length - at < length) throw new RangeError(`${length} bytes of room are needed`);
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
   * ReadMessage.
   *
   * @param message Not trusted.
   * @returns The payload.
   * @throws {NoiseFailure} `malformed`, `weak-key` or `unauthentic`.
   */
  readMessage(message: Uint8Array): Uint8Array {
    this.#requireTurn(this.#initiator ? 1 : 0);
    return this.#step(() => {
      if (message.length < BARE_MESSAGE || message.length > MAX_MESSAGE) {
        throw new NoiseFailure("malformed");
      }
      this.#mixPsk();
      this.#theirs = new Uint8Array(message.subarray(0, DH_LENGTH));
      this.#mixEphemeral(this.#theirs);
      this.#mixAgreement();
      return this.#symmetric.decryptAndHash(message.subarray(DH_LENGTH));
    });
  }

  /**
   * Split, and the end of this state.
   *
   * @returns The ciphers of both directions, seen from this side.
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

  /** Forgets everything. */
  wipe(): void {
    this.#turn = 3;
    this.#psk = null;
    this.#ephemeral = null;
    this.#theirs = null;
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

  /** The token `psk`, at the head of message 1. */
  #mixPsk(): void {
    if (this.#turn !== 0) return;
    if (this.#psk === null) throw new Error("message 1 has no pre-shared key");
    this.#symmetric.mixKeyAndHash(this.#psk);
    this.#psk = null;
  }

  /** The token `e`; with a pre-shared key in play it goes into the key as well (section 9.2). */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey);
    this.#symmetric.mixKey(publicKey);
  }

  /** The token `ee`, in message 2. */
  #mixAgreement(): void {
    if (this.#turn !== 1) return;
    if (this.#ephemeral === null || this.#theirs === null) throw new Error("message 2 has no keys");
    const secret = this.#ephemeral.agree(this.#theirs);
    this.#symmetric.mixKey(secret);
    secret.fill(0);
  }

  #requireTurn(turn: 0 | 1 | 2): void {
    if (this.#turn !== turn) throw new Error("a handshake message is out of turn");
  }
}
