/** A client of a console that calls methods, as any uid. */
import { TestClient } from "./test_client.ts";

/** The answer to a call. */
export interface RpcAnswer {
  // deno-lint-ignore no-explicit-any -- a test reads the fields that it expects
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string };
}

/** One console session. */
export class RpcSession {
  readonly #connection: TestClient;
  #id = 0;

  private constructor(connection: TestClient) {
    this.#connection = connection;
  }

  /** Connects to a console on a Unix socket, and reads its welcome. */
  static async unix(path: string, uid?: number): Promise<RpcSession> {
    const connection = TestClient.unix(path, uid);
    const welcome = await connection.line();
    if (welcome === null) throw new Error(`refused: uid ${uid}`);
    return new RpcSession(connection);
  }

  /** Calls a method. */
  async call(method: string, params: Record<string, unknown> = {}): Promise<RpcAnswer> {
    this.send(method, params);
    const line = await this.#connection.line();
    if (line === null) throw new Error(`the session has ended before ${method} was answered`);
    return JSON.parse(line);
  }

  /** Sends a call without reading its answer. */
  send(method: string, params: Record<string, unknown> = {}): void {
    const request = { jsonrpc: "2.0", id: ++this.#id, method, params };
    this.#connection.send(JSON.stringify(request) + "\n");
  }

  /** Waits for the end of the session. Answers before it are dropped. */
  async ended(): Promise<void> {
    while (await this.#connection.line() !== null);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}
