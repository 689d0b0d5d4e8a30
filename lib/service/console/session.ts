/**
 * The console's half in the control plane: requests in, answers out, one after the other.
 *
 * @module
 */
import type { Socket } from "node:net";
import { LineError, LineSplitter } from "./lines.ts";
import { MAX_REQUEST_BYTES, RpcCode, type Welcome } from "./protocol.ts";
import { parseRequest, type Request, RequestError } from "./request.ts";

/** Who speaks in a session. It changes when a trusted peer says whom it acts as. */
export interface Caller {
  readonly welcome: Welcome;
  /** Whether the caller may do everything because of what it is, not because a file says so. */
  readonly trusted: boolean;
  /** The configured user it runs as; null for root, the server's own user, a member of a group. */
  readonly actsAs: string | null;
}

/** Carries requests out. */
export interface Methods {
  /**
   * @returns What is answered, and who speaks from then on.
   * @throws {RequestError} What is answered instead.
   */
  call(request: Request, caller: Caller): Promise<{ result: unknown; caller: Caller }>;
}

/** What a closed session leaves behind. */
export interface SessionEnd {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly failed: boolean;
}

/** One console session. */
export class ConsoleSession {
  readonly #socket: Socket;
  readonly #methods: Methods;
  readonly #splitter = new LineSplitter(MAX_REQUEST_BYTES);
  #caller: Caller;
  #failed = false;

  /**
   * @param socket The connection, already greeted.
   * @param caller Who was let in.
   * @param methods Who carries requests out.
   */
  constructor(socket: Socket, caller: Caller, methods: Methods) {
    this.#socket = socket;
    this.#caller = caller;
    this.#methods = methods;
  }

  /** Who speaks now. */
  get caller(): Caller {
    return this.#caller;
  }

  /**
   * Answers until the peer is done.
   *
   * @param unsent The end of the greeting, where the socket would not take all of it.
   * @returns When the connection is closed.
   */
  async run(unsent: Uint8Array | null): Promise<SessionEnd> {
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    // A reset is the peer's way to leave; 'close' follows, and says everything else.
    this.#socket.on("error", () => this.#failed = true);
    try {
      if (unsent !== null) await this.#write(unsent);
      // Reading to the end must not destroy the socket: the other direction may still have answers.
      const chunks: AsyncIterable<Uint8Array> = this.#socket.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        for (const line of this.#splitter.push(chunk)) await this.#answer(line);
      }
      // A request that is whole without its newline is one; half of one is no JSON.
      const last = this.#splitter.rest();
      if (last !== null) await this.#answer(last);
      if (!this.#socket.destroyed) this.#socket.end();
    } catch (error) {
      this.#failed = true;
      if (error instanceof LineError) await this.#refuse(error);
      this.#socket.destroy();
    }
    await closed;
    return {
      bytesIn: this.#socket.bytesRead,
      bytesOut: this.#socket.bytesWritten,
      failed: this.#failed,
    };
  }

  /** Ends the connection at once. */
  terminate(): void {
    this.#socket.destroy();
  }

  async #answer(line: string): Promise<void> {
    // A blank line is a person at a terminal, not a request.
    if (line.trim() === "") return;
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

  async #refuse(error: LineError): Promise<void> {
    const sentence = `The session ends: ${error.message}`;
    await this.#send({
      jsonrpc: "2.0",
      error: new RequestError(RpcCode.parseError, sentence),
      id: null,
    }).catch(() => {});
  }

  #send(message: unknown): Promise<void> {
    return this.#write(new TextEncoder().encode(JSON.stringify(message) + "\n"));
  }

  /** Resolves when the kernel has taken it: a peer that does not read gets no further answers. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }
}

const INTERNAL = new RequestError(RpcCode.internalError, "The server could not do this");
