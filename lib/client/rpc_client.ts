/**
 * The client's end of a console: JSON-RPC calls and their answers (docs/console-api.md).
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { LineError, LineSplitter } from "../service/console/lines.ts";
import {
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  RpcCode,
  type Welcome,
} from "../service/console/protocol.ts";
import { connectFailure } from "./connect_failure.ts";
import type { ConsoleSocket } from "./polled_socket.ts";
import { StreamError } from "./stream_error.ts";
import { escapeForTerminal } from "../text/escape.ts";

/** The error object that a server answered a call with. */
export class RpcServerError extends Error {
  override readonly name = "RpcServerError";
  /** A JSON-RPC error code. */
  readonly code: number;
  /** The next step, where the server names one. */
  readonly hint: string | undefined;

  /** The message and the hint are text of the server, so both are escaped for a terminal here. */
  constructor(code: number, message: string, hint: string | undefined) {
    super(escapeForTerminal(message));
    this.code = code;
    this.hint = hint === undefined ? undefined : escapeForTerminal(hint);
  }
}

/** How long a server may take to send its welcome. */
const WELCOME_TIMEOUT_MS = 5_000;

/**
 * How many notifications a server may send between two answers. Only the welcome is known; those
 * of a newer server are passed over.
 */
const MAX_NOTIFICATIONS = 64;

/** A call whose answer has not arrived. */
interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * An open console.
 *
 * @example
 * ```ts
 * const { client, welcome } = await RpcClient.open(socket, "/run/ipcauth/ipc.sock", 579);
 * console.log(welcome.user, await client.call("users.get", { name: "bob" }));
 * client.close();
 * ```
 */
export class RpcClient {
  readonly #socket: ConsoleSocket;
  readonly #splitter = new LineSplitter(MAX_ANSWER_BYTES);
  readonly #calls = new Map<number, PendingCall>();
  readonly #welcome = Promise.withResolvers<Welcome>();
  readonly #lost = Promise.withResolvers<Failure | null>();
  #isWelcomed = false;
  #closing = false;
  #lastId = 0;
  /** Since the last answer. */
  #notifications = 0;

  private constructor(socket: ConsoleSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
    // A reset is handled like end-of-file: the server has closed the session.
    socket.on("error", (error) => this.#end(error));
    // Nothing awaits it once the race in `open` is over, and an unhandled rejection would end the
    // program.
    this.#welcome.promise.catch(() => {});
    // The connection may have broken before: none of the events above comes then.
    if (socket.destroyed) this.#end(socket.errored);
  }

  /**
   * Waits for the notification `welcome`.
   *
   * @param socket A connection to a server. It belongs to the client, and is destroyed on failure.
   * @param where The server's path or address, for messages.
   * @param uid The caller's uid, for the message and the hint of a refusal; null where the access
   * check has accepted the caller before, so that an end is no refusal.
   * @param timeoutMs How long the welcome may take, in milliseconds.
   * @throws {Failure} 77 when the server closes without sending a byte, 69 when it does so after
   * the access check, 65 when it is not a console.
   */
  static async open(
    socket: ConsoleSocket,
    where: string,
    uid: number | null,
    timeoutMs: number = WELCOME_TIMEOUT_MS,
  ): Promise<{ client: RpcClient; welcome: Welcome }> {
    const client = new RpcClient(socket);
    const timer = setTimeout(() => {
      const what = client.#splitter.partial ? "its first line does not end" : "it sends nothing";
      client.#welcome.reject(notAConsole(where, what));
    }, timeoutMs);
    try {
      const welcome = await Promise.race([
        client.#welcome.promise,
        client.#lost.promise.then((failure) => {
          if (failure?.cause instanceof StreamError) {
            throw connectFailure(`${where}: ${failure.cause.message}`, failure.exit);
          }
          if (failure !== null) throw notAConsole(where, failure.message);
          throw uid === null ? endedAtOnce(where) : refused(where, uid);
        }),
      ]);
      return { client, welcome };
    } catch (error) {
      socket.destroy();
      if (error instanceof WelcomeError) throw notAConsole(where, error.message);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the connection ends without {@linkcode RpcClient.close}. Never rejects. */
  get lost(): Promise<Failure> {
    return this.#lost.promise.then((failure) => failure ?? serverGone());
  }

  /**
   * Calls a method. Calls may overlap; each answer is found by its id.
   *
   * @param params The parameters by name.
   * @returns The result. Its shape is not checked.
   * @throws {RpcServerError} When the server answers with an error, or the call is longer than
   * {@linkcode MAX_REQUEST_BYTES}.
   * @throws {Failure} 69 when the server has closed the session, 65 when it sends anything but
   * answers.
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
      // The server ends the session on a longer line.
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

  /** Closes the connection. Pending calls are not answered. */
  close(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    try {
      for (const line of this.#splitter.push(chunk)) this.#take(line);
    } catch (error) {
      if (!(error instanceof LineError || error instanceof WelcomeError)) throw error;
      if (!this.#isWelcomed) this.#welcome.reject(new WelcomeError(error.message));
      this.#fail(
        new Failure(`The server does not speak the console's protocol: ${error.message}`, {
          exit: ExitCode.data,
        }),
      );
    }
  }

  #take(line: string): void {
    const message = parseMessage(line);
    if (!this.#isWelcomed) {
      const welcome = message && message.method === "welcome" ? asWelcome(message.params) : null;
      if (welcome === null) throw new WelcomeError("its first line is not a welcome");
      this.#isWelcomed = true;
      this.#welcome.resolve(welcome);
      return;
    }
    if (message === null) throw new LineError("a line is not JSON");
    if (!Object.hasOwn(message, "id")) {
      if (++this.#notifications <= MAX_NOTIFICATIONS) return;
      throw new LineError(`more than ${MAX_NOTIFICATIONS} notifications and no answer`);
    }
    this.#notifications = 0;
    const call = typeof message.id === "number" ? this.#calls.get(message.id) : undefined;
    if (call === undefined || typeof message.id !== "number") {
      throw new LineError("an answer to a call that was not made");
    }
    this.#calls.delete(message.id);
    if (message.error === undefined) call.resolve(message.result);
    else call.reject(asRemoteError(message.error));
  }

  /** The server has closed the connection. @param error Why, where it was no end-of-file. */
  #end(error: Error | null = null): void {
    if (this.#closing) return;
    if (error instanceof StreamError) {
      const failure = `The stream is incomplete: ${error.message}`;
      this.#fail(new Failure(failure, { exit: ExitCode.data, cause: error }));
      return;
    }
    if (!this.#isWelcomed && this.#splitter.partial) {
      this.#welcome.reject(new WelcomeError("its first line is not a welcome"));
    }
    this.#fail(this.#isWelcomed ? serverGone() : null);
  }

  /** Ends the session. @param failure Null when the server closed before the welcome. */
  #fail(failure: Failure | null): void {
    this.#closing = true;
    this.#lost.resolve(failure);
    for (const call of this.#calls.values()) call.reject(failure ?? serverGone());
    this.#calls.clear();
    this.#socket.destroy();
  }
}

/** The server's first line is not the welcome of a console. */
class WelcomeError extends Error {}

function refused(where: string, uid: number): Failure {
  return connectFailure(
    `${where} refuses uid ${uid}`,
    ExitCode.refused,
    `ipcauth users check ${uid}, run by the server's administrator, says why`,
  );
}

function endedAtOnce(where: string): Failure {
  return connectFailure(
    `${where} has accepted the key, and has closed the session before its console has begun`,
    ExitCode.unavailable,
    "try again; the server's log has the reason",
  );
}

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
