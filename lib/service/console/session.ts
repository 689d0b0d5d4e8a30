/**
 * The console's part in the control plane: requests in, answers out, one after the other.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { ActingUser } from "../../policy/same_identity.ts";
import { LineError, LineSplitter } from "./lines.ts";
import { MAX_REQUEST_BYTES, RpcCode, type Welcome } from "./protocol.ts";
import { parseRequest, type Request, RequestError } from "./request.ts";

/** The user of a session, and its permissions. `login` changes them. */
export interface Caller {
  readonly welcome: Welcome;
  /** Whether it may call every method whatever the configuration says. */
  readonly trusted: boolean;
  /** The configured user it acts as; null for root, the server's own user, a member of a group. */
  readonly actsAs: ActingUser | null;
}

/** Runs requests. */
export interface Methods {
  /**
   * Whether the caller may have an answer now. Where not, its session is being terminated, and the
   * request was not for this caller to make.
   */
  confirm(caller: Caller): Promise<boolean>;
  /**
   * @returns The result to answer, and the caller of the next request.
   * @throws {RequestError} The error to answer instead.
   */
  call(request: Request, caller: Caller): Promise<{ result: unknown; caller: Caller }>;
}

/** The counts of a closed session. */
export interface SessionEnd {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Whether it ended with an error of the connection or with a line that cannot be read. */
  readonly failed: boolean;
}

/** One console session. */
export class ConsoleSession {
  readonly #socket: Socket;
  readonly #methods: Methods;
  readonly #splitter = new LineSplitter(MAX_REQUEST_BYTES);
  #caller: Caller;
  #failed = false;
  #terminated = false;

  /**
   * @param socket The connection, whose welcome was sent.
   * @param caller The user who was accepted.
   * @param methods The methods of the server.
   */
  constructor(socket: Socket, caller: Caller, methods: Methods) {
    this.#socket = socket;
    this.#caller = caller;
    this.#methods = methods;
  }

  /** The caller of the next request. */
  get caller(): Caller {
    return this.#caller;
  }

  /**
   * Answers requests until the peer ends its direction of the connection.
   *
   * @param unsent The rest of the welcome, or null where all of it was sent.
   * @returns The session's counts, once the connection is closed.
   */
  async run(unsent: Uint8Array | null): Promise<SessionEnd> {
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    // A reset by the peer. 'close' follows, and the code below handles it.
    this.#socket.on("error", () => this.#failed = true);
    try {
      if (unsent !== null) await this.#write(unsent);
      // Reading to the end must not destroy the socket: answers may still be written.
      const chunks: AsyncIterable<Uint8Array> = this.#socket.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        for (const line of this.#splitter.push(chunk)) await this.#answer(line);
      }
      // The last request may lack its newline. A truncated one is not JSON, and is answered so.
      const last = this.#splitter.rest();
      if (last !== null) await this.#answer(last);
      if (!this.#socket.destroyed) this.#socket.end();
    } catch (error) {
      this.#failed = true;
      if (error instanceof LineError && await this.#methods.confirm(this.#caller)) {
        await this.#answerLineError(error);
      }
      this.#socket.destroy();
    }
    await closed;
    return {
      bytesIn: this.#socket.bytesRead,
      bytesOut: this.#socket.bytesWritten,
      failed: this.#failed,
    };
  }

  /** Ends the connection at once. Requests that were received before are not run any more. */
  terminate(): void {
    this.#terminated = true;
    this.#socket.destroy();
  }

  async #answer(line: string): Promise<void> {
    // A blank line, as a person at a terminal types one, is not answered.
    if (this.#terminated || line.trim() === "") return;
    if (!await this.#methods.confirm(this.#caller)) this.terminate();
    if (this.#terminated) return;
    let request: Request;
    try {
      request = parseRequest(line);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.id === undefined) return;
      await this.#send({ jsonrpc: "2.0", error, id: error.id });
      return;
    }
    let answer: Record<string, unknown>;
    try {
      const { result, caller } = await this.#methods.call(request, this.#caller);
      this.#caller = caller;
      answer = { result };
    } catch (error) {
      answer = { error: error instanceof RequestError ? error : INTERNAL };
    }
    if (request.id !== undefined) await this.#send({ jsonrpc: "2.0", ...answer, id: request.id });
  }

  async #answerLineError(error: LineError): Promise<void> {
    const message = `The session ends: ${error.message}`;
    await this.#send({
      jsonrpc: "2.0",
      error: new RequestError(RpcCode.parseError, message),
      id: null,
    }).catch(() => {});
  }

  #send(message: unknown): Promise<void> {
    return this.#write(new TextEncoder().encode(JSON.stringify(message) + "\n"));
  }

  /**
   * Resolves when the kernel has taken all bytes: a peer that does not read slows down itself
   * alone.
   */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }
}

const INTERNAL = new RequestError(RpcCode.internalError, "The server could not do this");
