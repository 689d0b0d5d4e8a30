/**
 * The client's end of a console: JSON-RPC calls and their answers (docs/console-api.md).
 *
 * @module
 */
import { asFailure, ExitCode, Failure } from "../errors.ts";
import { LineError, LineSplitter } from "../service/console/lines.ts";
import {
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  RpcCode,
  type Welcome,
} from "../service/console/protocol.ts";
import { isTooDeep } from "./answers.ts";
import { connectFailure, noDataFailure } from "./connect_failure.ts";
import { RpcServerError } from "./rpc_error.ts";
import type { ServerStream } from "./server_stream.ts";
import { StreamError } from "./stream_error.ts";
import { whenOver } from "./time_limit.ts";

export { RpcServerError };

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
  reject(error: unknown): void;
}

/**
 * An open console.
 *
 * @example
 * ```ts
 * const { client, welcome } = await RpcClient.open(stream, "/run/ipcauth/ipc.sock", 579);
 * console.log(welcome.user, await client.call("users.get", { name: "bob" }));
 * client.close();
 * ```
 */
export class RpcClient {
  readonly #stream: ServerStream;
  readonly #splitter = new LineSplitter(MAX_ANSWER_BYTES);
  readonly #calls = new Map<number, PendingCall>();
  readonly #welcome = Promise.withResolvers<Welcome>();
  readonly #lost = Promise.withResolvers<Failure | null>();
  /** Receives the notifications behind the welcome; without it, only a few are passed over. */
  onNotification: ((method: string, params: unknown) => void) | null = null;
  readonly #closed = Promise.withResolvers<void>();
  #isWelcomed = false;
  /** Why later calls fail, once the session has ended. */
  #over: unknown = null;
  #lastId = 0;
  /** Since the last answer. */
  #notifications = 0;
  /** The requests before have been sent. */
  #sent: Promise<void> = Promise.resolve();

  private constructor(stream: ServerStream) {
    this.#stream = stream;
    // Nothing awaits it once the race in `open` is over, and an unhandled rejection would end the
    // program.
    this.#welcome.promise.catch(() => {});
    void this.#run();
  }

  /**
   * Waits for the notification `welcome`.
   *
   * @param stream A connection to a server. It belongs to the client, and is closed on failure.
   * @param where The server's path or address, for messages.
   * @param uid The caller's uid, for the message and the hint of a refusal; null where the access
   * check has accepted the caller before, so that an end is no refusal.
   * @param timeoutMs How long the welcome may take, in milliseconds.
   * @throws {Failure} 77 when the server closes without sending a byte, 69 when it does so after
   * the access check, 65 when it is not a console.
   */
  static async open(
    stream: ServerStream,
    where: string,
    uid: number | null,
    timeoutMs: number = WELCOME_TIMEOUT_MS,
  ): Promise<{ client: RpcClient; welcome: Welcome }> {
    const client = new RpcClient(stream);
    const cancel = whenOver(timeoutMs, () => {
      const what = client.#splitter.partial ? "its first line does not end" : "it sends nothing";
      client.#welcome.reject(notAConsole(where, what));
    });
    try {
      const welcome = await Promise.race([
        client.#welcome.promise,
        client.#lost.promise.then((failure) => {
          if (failure instanceof StreamError) {
            throw connectFailure(`${where}: ${failure.why}`, failure.exit, undefined, failure);
          }
          if (failure !== null) throw notAConsole(where, failure.message);
          throw uid === null ? endedAtOnce(where) : noDataFailure(where, uid);
        }),
      ]);
      return { client, welcome };
    } catch (error) {
      client.close();
      if (error instanceof WelcomeError) throw notAConsole(where, error.message);
      throw error;
    } finally {
      cancel();
    }
  }

  /** Resolves when the connection has ended, or was closed. Never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
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
      if (this.#over !== null) {
        reject(this.#over);
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
      this.#sent = this.#sent.then(() => this.#stream.write(request)).catch(() => {
        // A server that reads no more may stay connected. What it has sent is still read.
        this.#stream.shutdown();
      });
    });
  }

  /**
   * Ends what is sent, so that over TCP the end of the session is no truncation to the server.
   * Where a call waits for its answer, the server may not read, and nothing is ended.
   */
  async end(): Promise<void> {
    if (this.#over !== null || this.#calls.size > 0) return;
    await this.#stream.end().catch(() => {});
  }

  /**
   * Closes the connection.
   *
   * @param reason What pending and later calls reject with; by default, that the session is closed.
   */
  close(reason: unknown = sessionClosed()): void {
    this.#welcome.reject(reason);
    this.#finish(reason);
  }

  #finish(reason: unknown): void {
    this.#over ??= reason;
    this.#closed.resolve();
    this.#stream.close(reason);
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
  }

  /** Reads until the connection ends. */
  async #run(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#stream.read();
        if (chunk === null) break;
        this.#receive(chunk);
        if (this.#over !== null) return;
      }
    } catch (error) {
      this.#end(error);
      return;
    }
    this.#end(null);
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
    if (isTooDeep(message)) throw new LineError("a line is nested too deep");
    if (!this.#isWelcomed) {
      const welcome = message && message.method === "welcome" ? asWelcome(message.params) : null;
      if (welcome === null) throw new WelcomeError("its first line is not a welcome");
      this.#isWelcomed = true;
      this.#welcome.resolve(welcome);
      return;
    }
    if (message === null) throw new LineError("a line is not JSON");
    if (!Object.hasOwn(message, "id")) {
      if (this.onNotification !== null) {
        const { method, params } = message;
        const receive = this.onNotification;
        if (typeof method !== "string") throw new LineError("a notification without a method");
        // What the receiver throws is no error of the session.
        queueMicrotask(() => receive(method, params));
        return;
      }
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
  #end(error: unknown): void {
    if (this.#over !== null) return;
    if (error instanceof StreamError) return this.#fail(error);
    // The stream throws nothing else that is not a bug.
    if (error !== null) return this.#fail(asFailure(error, "an internal error", ExitCode.software));
    if (!this.#isWelcomed && this.#splitter.partial) {
      this.#welcome.reject(new WelcomeError("its first line is not a welcome"));
    }
    this.#fail(this.#isWelcomed ? serverGone() : null);
  }

  /** Ends the session. @param failure Null when the server closed before the welcome. */
  #fail(failure: Failure | null): void {
    this.#lost.resolve(failure);
    this.#finish(failure ?? serverGone());
  }
}

/** The server's first line is not the welcome of a console. */
class WelcomeError extends Error {}

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
    "ipcauth connect --pipe, where another service or program listens there",
  );
}

function sessionClosed(): Failure {
  return new Failure("The session is closed", { exit: ExitCode.unavailable });
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

/** The parameters of the notification `welcome`; null for anything else. */
export function asWelcome(params: unknown): Welcome | null {
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
