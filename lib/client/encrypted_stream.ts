/**
 * A sealed connection as a stream: what is written is sealed, what is read has been opened.
 *
 * @module
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Buffer } from "node:buffer";
import type { Channel } from "../protocol/channel.ts";

/** The other end broke the protocol, or the connection was cut. Nothing more can be believed. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

/** Seals and opens a socket's bytes. */
export class EncryptedStream extends Duplex {
  readonly #socket: Socket;
  readonly #channel: Channel;
  #ended = false;
  #over = false;

  /**
   * @param socket The connection, whose access check is done. It belongs to the stream.
   * @param channel Its ciphers.
   * @param rest What was received already, still sealed.
   */
  constructor(socket: Socket, channel: Channel, rest: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#channel = channel;
    socket.on("data", (chunk: Uint8Array) => this.#open(chunk));
    socket.on("end", () => this.#cut());
    socket.on("error", () => this.#cut());
    socket.on("close", () => this.#cut());
    socket.pause();
    if (rest.length > 0) this.#open(rest);
  }

  override _read(): void {
    if (!this.#over) this.#socket.resume();
  }

  override _write(data: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    if (this.#over) {
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
    if (this.#over) {
      done();
      return;
    }
    const out = new Uint8Array(this.#channel.sealedLength(1));
    this.#socket.end(out.subarray(0, this.#channel.sealFin(out)), () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#over = true;
    this.#channel.wipe();
    this.#socket.destroy();
    done(error);
  }

  #open(chunk: Uint8Array): void {
    if (this.#over) return;
    if (this.#ended) {
      this.destroy(new StreamError("the server went on after its end"));
      return;
    }
    const out = new Uint8Array(this.#channel.capacityFor(chunk.length));
    const { length, ended, error } = this.#channel.open(chunk, out);
    const more = length === 0 || this.push(Buffer.from(out.buffer, 0, length));
    if (error !== null) {
      this.destroy(new StreamError(`what came over the network cannot be believed: ${error}`));
    } else if (ended) {
      this.#ended = true;
      this.push(null);
    } else if (!more) this.#socket.pause();
  }

  /** The connection has ended, which is no end of the stream unless the other side has said so. */
  #cut(): void {
    if (this.#over || this.#ended) return;
    this.destroy(new StreamError("the connection was cut"));
  }
}
