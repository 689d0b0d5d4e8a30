/**
 * The bytes of an open connection, decrypted and encrypted where it has passed the access check.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { describe, SystemError } from "../libc/errno.ts";
import { BROKEN, receive, send, shutdown, shutdownWrite, WOULD_BLOCK } from "../libc/sockets.ts";
import { POLLIN, POLLOUT } from "../libc/poll.ts";
import type { Seal } from "../net/relay_end.ts";
import { DescriptorWait } from "./descriptor_wait.ts";
import { StreamError } from "./stream_error.ts";

/** How much is read at once, in bytes. */
const CHUNK_BYTES = 64 * 1024;
/** Space for an encrypted FIN record, in bytes. */
const FIN_BYTES = 256;
/** How often a server on TCP is looked at that may have gone, in milliseconds. */
const CHECK_MS = 30_000;

type Bytes = Uint8Array<ArrayBuffer>;

/** A connection to a server. */
export interface OpenConnection {
  /** Owned by what reads and writes. */
  readonly descriptor: Descriptor;
  /** The cipher of the access check; null on a Unix socket. */
  readonly seal: Seal | null;
  /** Bytes that were received already, encrypted. */
  readonly received: Bytes;
  /**
   * Whether the server has gone with bytes on their way to it, which no event reports before the
   * kernel gives up after about 15 minutes. Null on a Unix socket.
   */
  readonly isLost: (() => boolean) | null;
}

/**
 * Both directions of a connection. One call of {@linkcode read} and one of {@linkcode write} or
 * {@linkcode end} may be in progress at a time.
 */
export class ServerStream {
  readonly #descriptor: Descriptor;
  readonly #seal: Seal | null;
  readonly #isLost: (() => boolean) | null;
  readonly #waits: DescriptorWait;
  readonly #buffer: Bytes = new Uint8Array(CHUNK_BYTES);
  /** Received with the answer of the access check. */
  #received: Bytes | null;
  #isEnded = false;
  #isOpen = true;
  /** Why every later call fails. */
  #failure: unknown = null;

  /** @param connection Owned from now on. */
  constructor({ descriptor, seal, received, isLost }: OpenConnection) {
    this.#descriptor = descriptor;
    this.#seal = seal;
    this.#received = received.length > 0 ? received : null;
    this.#isLost = isLost;
    this.#waits = new DescriptorWait(descriptor);
  }

  /** Whether {@linkcode close} has not been called. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Reads what has arrived; waits where that is nothing.
   *
   * @returns At least one byte, in memory of its own; null at the end of the stream.
   * @throws {StreamError} When the stream was cut or changed. All bytes before are authentic.
   * @throws What {@linkcode close} was given.
   */
  async read(): Promise<Bytes | null> {
    for (;;) {
      this.#requireOpen();
      if (this.#isEnded) return null;
      const chunk = this.#received ?? this.#receive();
      this.#received = null;
      if (chunk === "wait") await this.#until(POLLIN);
      else {
        const plain = this.#seal === null || chunk === null ? chunk : this.#unseal(chunk);
        if (plain === null) return this.#end();
        if (plain.length > 0) return plain;
      }
    }
  }

  /**
   * Sends bytes, and waits until the kernel has taken them.
   *
   * @throws {Failure} 69 when the server reads no more.
   * @throws What {@linkcode close} was given.
   */
  async write(bytes: Uint8Array): Promise<void> {
    // A chunk of more than one full record would end in a short one.
    const step = this.#seal?.maxBody ?? CHUNK_BYTES;
    for (let at = 0; at < bytes.length; at += step) {
      this.#requireOpen();
      const part = bytes.subarray(at, at + step) as Bytes;
      if (this.#seal === null) await this.#send(part);
      else {
        const out = new Uint8Array(this.#seal.sealedLength(part.length));
        await this.#send(out.subarray(0, this.#seal.sealData(part, out)));
      }
    }
  }

  /**
   * Ends what is sent: with FIN where the stream is encrypted. The other direction stays open.
   *
   * @throws As {@linkcode write}.
   */
  async end(): Promise<void> {
    this.#requireOpen();
    if (this.#seal !== null) {
      const out = new Uint8Array(FIN_BYTES);
      await this.#send(out.subarray(0, this.#seal.sealFin(out)));
    }
    shutdownWrite(this.#descriptor);
  }

  /** Ends both directions. What was received before can still be read, and then the end. */
  shutdown(): void {
    if (this.#isOpen) shutdown(this.#descriptor);
  }

  /**
   * Closes the connection. An encrypted one without {@linkcode end} before it is a truncation to
   * the server.
   *
   * @param reason What calls in progress, and later ones, throw.
   */
  close(reason: unknown = closed()): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#failure ??= reason;
    this.#seal?.wipe();
    this.#waits.close();
  }

  #requireOpen(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** @returns Null at the end of the connection. */
  #receive(): Bytes | null | "wait" {
    const count = receive(this.#descriptor, this.#buffer);
    if (count === WOULD_BLOCK) return "wait";
    // unix(7): a reset says that the peer has left input unread. What it sent was received before.
    return count === 0 || count === BROKEN ? null : this.#buffer.slice(0, count);
  }

  /** @returns The plaintext, which may be empty; null at FIN without any. */
  #unseal(chunk: Bytes): Bytes | null {
    const seal = this.#seal!;
    const out = new Uint8Array(seal.capacityFor(chunk.length));
    const { length, ended, error } = seal.open(chunk, out);
    if (ended) this.#isEnded = true;
    if (error !== null) {
      // What came before is authentic, and is handed out first.
      this.#failure = StreamError.ofRecord(error);
      if (length === 0) throw this.#failure;
    }
    return ended && length === 0 ? null : out.subarray(0, length);
  }

  /** The end of the connection; of an encrypted one without FIN, that is a truncation. */
  #end(): null {
    if (this.#seal !== null && !this.#isEnded) {
      this.#failure = StreamError.ofRecord("truncated");
      throw this.#failure;
    }
    this.#isEnded = true;
    return null;
  }

  async #send(bytes: Bytes): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const count = send(this.#descriptor, rest);
      if (count === BROKEN) throw unread();
      if (count === WOULD_BLOCK) await this.#until(POLLOUT);
      else rest = rest.subarray(count);
      this.#requireOpen();
    }
  }

  async #until(direction: typeof POLLIN | typeof POLLOUT): Promise<void> {
    try {
      await this.#waits.until(direction, this.#isLost === null ? -1 : CHECK_MS);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // There is no descriptor for the thread that waits for many connections.
      const message = `The connection cannot be watched: ${describe(error.errno)}`;
      this.close(new Failure(message, { exit: ExitCode.os, cause: error }));
    }
    this.#requireOpen();
    if (this.#isOpen && this.#isLost?.()) this.#failure ??= StreamError.lost();
  }
}

/** The failure of a call on a connection that this side has closed. */
function closed(): Failure {
  return new Failure("The connection is closed", { exit: ExitCode.unavailable });
}

function unread(): Failure {
  return new Failure("The server reads no more: it has closed the connection", {
    exit: ExitCode.unavailable,
  });
}
