/**
 * The client's end of a console: calls out, answers in.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { ExitCode, Failure } from "../errors.ts";
import { LineError, LineSplitter } from "../service/console/lines.ts";
import {
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  RpcCode,
  type Welcome,
} from "../service/console/protocol.ts";
import { connectFailure } from "./connect_failure.ts";
import { escapeForTerminal } from "../text/escape.ts";

/** The server answered a call with an error. */
export class RpcServerError extends Error {
  override readonly name = "RemoteError";
  /** A JSON-RPC error code. */
  readonly code: number;
  readonly hint: string | undefined;

  /** The words are the server's: they are made harmless for a terminal here, wherever they end up. */
  constructor(code: number, message: string, hint: string | undefined) {
    super(escapeForTerminal(message));
    this.code = code;
    this.hint = hint === undefined ? undefined : escapeForTerminal(hint);
  }
}

/** How long a server may take to greet, in milliseconds. */
const GREETING_TIMEOUT_MS = 5_000;

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** An open console. */
export class RpcClient {
  readonly #socket: Duplex;
  readonly #splitter = new LineSplitter(MAX_ANSWER_BYTES);
  readonly #calls = new Map<number, PendingCall>();
  readonly #greeting = Promise.withResolvers<Welcome>();
  readonly #gone = Promise.withResolvers<Failure | null>();
  #greeted = false;
  #leaving = false;
  #lastId = 0;

  private constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    // A reset says no more than an end does: the server is gone.
    socket.on("error", () => this.#end());
    // Whoever waits hears of a failure; nobody has to.
    this.#greeting.promise.catch(() => {});
  }

  /**
   * Waits for the greeting.
   *
   * @param socket A connection to a server.
   * @param where How the server is named in messages.
   * @param uid Who we are, for the hint of a refusal.
   * @param patience How long the greeting may take, in milliseconds.
   * @throws {Failure} 77 when the server closes without a word, 65 when it is not a console.
   */
  static async open(
    socket: Duplex,
    where: string,
    uid: number,
    patience: number = GREETING_TIMEOUT_MS,
  ): Promise<{ remote: RpcClient; welcome: Welcome }> {
    const remote = new RpcClient(socket);
    const timer = setTimeout(() => {
      remote.#greeting.reject(notAConsole(where, "it says nothing"));
    }, patience);
    try {
      const welcome = await Promise.race([
        remote.#greeting.promise,
        remote.#gone.promise.then((failure) => {
          if (failure !== null) throw notAConsole(where, failure.message);
          throw connectFailure(
            `${where} refuses uid ${uid}`,
            ExitCode.refused,
            `ipcauth users check ${uid}, run by the server's administrator, says why`,
          );
        }),
      ]);
      return { remote, welcome };
    } catch (error) {
      socket.destroy();
      if (error instanceof GreetingError) throw notAConsole(where, error.message);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the server is gone without being asked to. */
  get lost(): Promise<Failure> {
    return this.#gone.promise.then((failure) => failure ?? serverGone());
  }

  /**
   * Calls a method.
   *
   * @returns The result, whose shape is for the caller to check.
   * @throws {RpcServerError} When the server answers with an error, or the call is longer than it accepts.
   * @throws {Failure} 69 when it is gone.
   */
  call(method: string, params: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const line = JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n";
    const request = new TextEncoder().encode(line);
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed || this.#socket.readableEnded) {
        reject(serverGone());
        return;
      }
      // The server would end the session over it.
      if (request.length - 1 > MAX_REQUEST_BYTES) {
        reject(
          new RpcServerError(RpcCode.invalidValue, "This is longer than a server reads", undefined),
        );
        return;
      }
      this.#calls.set(id, { resolve, reject });
      this.#socket.write(request);
    });
  }

  /** Leaves. */
  close(): void {
    this.#leaving = true;
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#take(line);
    } catch (error) {
      if (!(error instanceof LineError || error instanceof GreetingError)) throw error;
      if (!this.#greeted) this.#greeting.reject(new GreetingError(error.message));
      this.#fail(
        new Failure(`The server speaks something else than the console: ${error.message}`, {
          exit: ExitCode.data,
        }),
      );
    }
  }

  #take(line: string): void {
    const message = parseMessage(line);
    if (!this.#greeted) {
      const welcome = message && message.method === "welcome" ? asWelcome(message.params) : null;
      if (welcome === null) throw new GreetingError("its first line is no greeting");
      this.#greeted = true;
      this.#greeting.resolve(welcome);
      return;
    }
    if (message === null) throw new LineError("a line is not JSON");
    const waiting = typeof message.id === "number" ? this.#calls.get(message.id) : undefined;
    if (waiting === undefined || typeof message.id !== "number") return;
    this.#calls.delete(message.id);
    if (message.error === undefined) waiting.resolve(message.result);
    else waiting.reject(asRemoteError(message.error));
  }

  #end(): void {
    if (this.#leaving) return;
    if (!this.#greeted && this.#splitter.partial) {
      this.#greeting.reject(new GreetingError("its first line is no greeting"));
    }
    this.#fail(this.#greeted ? serverGone() : null);
  }

  #fail(failure: Failure | null): void {
    this.#leaving = true;
    this.#gone.resolve(failure);
    for (const waiting of this.#calls.values()) waiting.reject(failure ?? serverGone());
    this.#calls.clear();
    this.#socket.destroy();
  }
}

/** The server's first words are not a console's. */
class GreetingError extends Error {}

function notAConsole(where: string, why: string): Failure {
  return connectFailure(
    `${where} is not an ipcauth console: ${why}`,
    ExitCode.data,
    "is another program listening there?",
  );
}

function serverGone(): Failure {
  return new Failure("The server has closed the session", { exit: ExitCode.unavailable });
}

function parseMessage(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function asWelcome(params: unknown): Welcome | null {
  if (!isRecord(params) || params.server !== "ipcauth") return null;
  const { version, user, admin, trusted, from, host, session } = params;
  const texts = [version, user, from, host].every((value) => typeof value === "string");
  const flags = typeof admin === "boolean" && typeof trusted === "boolean";
  return texts && flags && typeof session === "number" ? params as unknown as Welcome : null;
}

function asRemoteError(error: unknown): RpcServerError {
  if (!isRecord(error)) {
    return new RpcServerError(0, "the server answered with an error", undefined);
  }
  const hint = isRecord(error.data) ? error.data.hint : undefined;
  return new RpcServerError(
    typeof error.code === "number" ? error.code : 0,
    typeof error.message === "string" ? error.message : "the server answered with an error",
    typeof hint === "string" ? hint : undefined,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
