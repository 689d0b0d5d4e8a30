/**
 * A connection to the service of a listener, as two streams of the Web.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { PollSet } from "../libc/poll_set.ts";
import { BROKEN, peek } from "../libc/sockets.ts";
import { unacknowledgedBytes } from "../libc/tcp_socket.ts";
import { noDataFailure } from "./connect_failure.ts";
import type { ServerConnection } from "./open.ts";
import { ServerStream } from "./server_stream.ts";

/**
 * The longest wait between two looks at whether the service has read the input, in milliseconds.
 */
const MAX_TAKING_MS = 64;

/**
 * An open connection.
 *
 * Closing `writable` ends what is sent, and `readable` goes on to its end; when both have ended,
 * the connection is closed. Aborting `writable`, and {@linkcode ClientConnection.close} before its
 * end, are a truncation to the server where it is on TCP.
 */
export class ClientConnection implements Disposable {
  /**
   * What the service sends, in chunks of at most 64 KiB. It is read from the kernel as fast as the
   * program reads it. Fails with a `StreamError` (65) where the stream was cut or changed, and with
   * a `Failure` (77) where a Unix server has closed without data, as it does when it refuses.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * What is sent to the service. A write is done when the kernel has taken the bytes. Fails with a
   * `Failure` (69) when the server reads no more.
   */
  readonly writable: WritableStream<Uint8Array>;
  /** The server's path, or its `HOST:PORT`. */
  readonly where: string;
  /** The user that the session acts as; null on a Unix socket, where the server says it nowhere. */
  readonly user: string | null;
  /** The service behind the listener, such as `forward`; null on a Unix socket. */
  readonly service: string | null;
  readonly #stream: ServerStream;
  readonly #descriptor: Descriptor;
  readonly #isUnix: boolean;
  readonly #ownUid: number;
  #reader: ReadableByteStreamController | null = null;
  #writer: WritableStreamDefaultController | null = null;
  #hasSent = false;
  #hasReceived = false;
  /** On a Unix socket the input was read by the service, and not discarded with a refusal. */
  #isTaken = false;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#end(this.#signal?.reason);

  /** Made by `connect()`. */
  constructor(connection: ServerConnection, ownUid: number, signal: AbortSignal | undefined) {
    const { where, accepted, descriptor } = connection;
    this.where = where;
    this.user = accepted?.user ?? null;
    this.service = accepted?.service ?? null;
    this.#isUnix = accepted === null;
    this.#ownUid = ownUid;
    this.#descriptor = descriptor;
    this.#stream = new ServerStream(connection);
    this.#signal = signal;
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => void (this.#reader = controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#endReading(),
    });
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => void (this.#writer = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#endWriting(),
      abort: (reason) => this.#end(reason),
    });
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.#onAbort();
  }

  /** Closes the connection at once. What is read or written afterwards fails. */
  close(): void {
    this.#end(new Failure("The connection is closed", { exit: ExitCode.unavailable }));
  }

  /** Closes the connection at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Neither has the service sent a byte, nor has it taken the input. */
  get #gotNothing(): boolean {
    return this.#isUnix && !this.#hasReceived && !this.#isTaken;
  }

  /** Whether the server has closed without a byte. */
  get #isRefused(): boolean {
    return this.#gotNothing && this.#stream.isOpen && [0, BROKEN].includes(peek(this.#descriptor));
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    try {
      const chunk = await this.#stream.read();
      // The reader has cancelled meanwhile. The other direction goes on.
      if (this.#reader === null) return;
      if (chunk !== null) {
        this.#hasReceived = true;
        controller.enqueue(chunk);
        return;
      }
      if (this.#gotNothing) throw noDataFailure(this.where, this.#ownUid);
      controller.close();
      controller.byobRequest?.respond(0);
      this.#endReading();
    } catch (error) {
      this.#end(error);
    }
  }

  async #write(chunk: unknown): Promise<void> {
    try {
      if (!(chunk instanceof Uint8Array)) throw new TypeError("A chunk is a Uint8Array");
      this.#hasSent ||= chunk.length > 0;
      await this.#stream.write(chunk);
    } catch (error) {
      const failure = this.#isRefused ? noDataFailure(this.where, this.#ownUid) : error;
      this.#writer = null;
      this.#closeEnded();
      throw failure;
    }
  }

  async #endWriting(): Promise<void> {
    await this.#untilTaken();
    try {
      await this.#stream.end();
    } finally {
      this.#writer = null;
      this.#closeEnded();
    }
  }

  /**
   * Holds the end of the input back until the service has read the input itself. Where it answers
   * nothing, this alone tells it from a server that refuses.
   */
  async #untilTaken(): Promise<void> {
    if (!this.#isUnix || !this.#hasSent) return;
    for (
      let ms = 1;
      !this.#hasReceived && this.#stream.isOpen;
      ms = Math.min(2 * ms, MAX_TAKING_MS)
    ) {
      // The bytes are counted before the hang-up is looked for: a server that refuses hangs up
      // first, and discards its input then.
      const isRead = unacknowledgedBytes(this.#descriptor) === 0;
      const [socket] = new PollSet(1).wait([{ number: this.#descriptor.number }], 0);
      if (socket!.hungUp) return;
      if (isRead) {
        this.#isTaken = true;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  #endReading(): void {
    this.#reader = null;
    this.#closeEnded();
  }

  /** Closes the connection when both directions have ended. */
  #closeEnded(): void {
    if (this.#reader === null && this.#writer === null) this.#end(null);
  }

  /** Ends both directions. @param reason Why those fail that have not ended. */
  #end(reason: unknown): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const [reader, writer] = [this.#reader, this.#writer];
    this.#reader = null;
    this.#writer = null;
    this.#stream.close(reason ?? undefined);
    reader?.error(reason);
    writer?.error(reason);
  }
}
