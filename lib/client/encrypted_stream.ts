/**
 * A connection with records of the access check as a stream of plaintext.
 *
 * @module
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Buffer } from "node:buffer";
import type { Channel } from "../protocol/channel.ts";
import { StreamError } from "./stream_error.ts";

/**
 * Encrypts what is written and decrypts what is read. Ending the stream sends FIN; its readable
 * side ends at the other side's FIN, and with a {@linkcode StreamError} at any other end.
 */
export class EncryptedStream extends Duplex {
  readonly #socket: Socket;
  readonly #channel: Channel;
  #isEnded = false;
  #isDestroyed = false;

  /**
   * @param socket The connection, whose access check is done. It belongs to the stream.
   * @param channel Its cipher states. They belong to the stream, which wipes them.
   * @param rest Bytes that arrived with the ACCEPT record, still encrypted.
   */
  constructor(socket: Socket, channel: Channel, rest: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#channel = channel;
    // The connection may break before the stream's user listens, and an error without a listener
    // ends the program. The user finds it in `destroyed` and `errored`.
    this.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => this.#open(chunk));
    socket.on("end", () => this.#cut());
    socket.on("error", () => this.#cut());
    socket.on("close", () => this.#cut());
    socket.pause();
    if (rest.length > 0) this.#open(rest);
  }

  override _read(): void {
    if (!this.#isDestroyed) this.#socket.resume();
  }

  override _write(data: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    if (this.#isDestroyed) {
      done(new StreamError("the connection is closed"));
      return;
    }
    const out = new Uint8Array(this.#channel.sealedLength(data.length));
    this.#socket.write(
      out.subarray(0, this.#channel.sealData(data, out)),
      (error) => done(error ?? undefined),
    );
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#isDestroyed) {
      done();
      return;
    }
    const out = new Uint8Array(this.#channel.sealedLength(1));
    this.#socket.end(out.subarray(0, this.#channel.sealFin(out)), () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isDestroyed = true;
    this.#channel.wipe();
    this.#socket.destroy();
    done(error);
  }

  #open(chunk: Uint8Array): void {
    if (this.#isDestroyed) return;
    if (this.#isEnded) {
      this.destroy(new StreamError("the server sent data after its end"));
      return;
    }
    const out = new Uint8Array(this.#channel.capacityFor(chunk.length));
    const { length, ended, error } = this.#channel.open(chunk, out);
    const more = length === 0 || this.push(Buffer.from(out.buffer, 0, length));
    if (error !== null) {
      this.destroy(new StreamError(`a record was changed or malformed: ${error}`));
    } else if (ended) {
      this.#isEnded = true;
      this.push(null);
    } else if (!more) this.#socket.pause();
  }

  /** The connection has ended. Without FIN before it, that is a truncation. */
  #cut(): void {
    if (this.#isDestroyed || this.#isEnded) return;
    this.destroy(new StreamError("the connection was cut"));
  }
}
