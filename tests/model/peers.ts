/** The clients of a model's run: processes on Unix sockets, and holders of keys on TCP. */
import { fromFileUrl } from "@std/path";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { Lines, type Program } from "../support/program.ts";
import type { Peer } from "./access_model.ts";

const SCRIPT = fromFileUrl(new URL("peers.py", import.meta.url));
/** How long anything may take, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** How long a session may go on that must end, in milliseconds. */
const END_TIMEOUT_MS = 10_000;

/** Clients, and what has become of the connection of each. */
export class Peers implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #said = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #keyed = new Map<string, Deno.TcpConn>();
  readonly #reading: Promise<void>;

  constructor(program: Program) {
    const child = program.command(["python3", SCRIPT], { input: "" }).spawn();
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read(new Lines(child.stdout));
  }

  /** Connects. @returns Whether it was let in. */
  async open(id: string, path: string, { uid, gids }: Peer): Promise<boolean> {
    await this.#send(`open ${id} ${path} ${uid} ${gids.join(",")}`);
    return await this.#first(["in", "out"] as const, id) === "in";
  }

  /** Asks as root for a change. @returns "out" where it is not let in. */
  async request(id: string, path: string, request: unknown): Promise<"result" | "error" | "out"> {
    await this.#send(`rpc ${id} ${path} ${JSON.stringify(request)}`);
    return await this.#first(["result", "error", "out"] as const, id);
  }

  /** Connects with a key. @returns Whether it was let in. */
  async openKeyed(
    id: string,
    hostname: string,
    port: number,
    key: Uint8Array,
  ): Promise<boolean> {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ hostname, port });
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
    const handshake = new ClientHandshake(key, { client: "model", user: null });
    const outcome = await this.#shake(connection, handshake);
    if (!outcome) {
      connection.close();
      return false;
    }
    this.#keyed.set(id, connection);
    this.#untilEnd(id, connection);
    return true;
  }

  /** Whether a connection that was let in is open still: it gets an answer. */
  async isOpen(id: string): Promise<boolean> {
    // A keyed one is ended by the server's end of the stream, which is noticed without a question.
    if (this.#keyed.has(id)) return !this.#said.has(`ended ${id}`);
    return await this.ask(id, { method: "stats" });
  }

  /** Asks on an open connection on a Unix socket. @returns Whether there was an answer. */
  async ask(id: string, request: unknown): Promise<boolean> {
    await this.#send(`ask ${id} ${JSON.stringify(request)}`);
    return await this.#first(["answer", "ended"] as const, id) === "answer";
  }

  /** Waits until the server has ended a connection. */
  async ended(id: string): Promise<void> {
    await this.#first(["ended"] as const, id, END_TIMEOUT_MS);
  }

  /** The connections that the server has ended. */
  get allEnded(): readonly string[] {
    return [...this.#said].filter((line) => line.startsWith("ended ")).map((line) => line.slice(6));
  }

  /** Closes a connection. */
  async close(id: string): Promise<void> {
    const keyed = this.#keyed.get(id);
    if (keyed === undefined) return await this.#send(`close ${id}`);
    this.#keyed.delete(id);
    keyed.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#keyed.values()) connection.close();
    this.#keyed.clear();
    await this.#writer.close().catch(() => {});
    await this.#reading;
    const { stderr } = await this.#child.output().catch(() => ({ stderr: new Uint8Array() }));
    if (stderr.length > 0) throw new Error(new TextDecoder().decode(stderr));
  }

  async #shake(connection: Deno.TcpConn, handshake: ClientHandshake): Promise<boolean> {
    const buffer = new Uint8Array(4096);
    try {
      await connection.write(new Uint8Array(handshake.start()));
      for (;;) {
        const length = await connection.read(buffer);
        if (length === null) return false;
        for (const event of handshake.push(buffer.slice(0, length))) {
          if (event.kind === "send") await connection.write(new Uint8Array(event.bytes));
          else return event.kind === "accepted";
        }
      }
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  #untilEnd(id: string, connection: Deno.TcpConn): void {
    const buffer = new Uint8Array(4096);
    const read = async () => {
      while (await connection.read(buffer) !== null);
    };
    read().catch(() => {}).then(() => {
      if (this.#keyed.get(id) === connection) this.#note(`ended ${id}`);
    });
  }

  #send(line: string): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(line + "\n"));
  }

  /** Waits for one of some words about a connection. */
  async #first<Word extends string>(
    words: readonly Word[],
    id: string,
    timeout = TIMEOUT_MS,
  ): Promise<Word> {
    const until = Date.now() + timeout;
    for (;;) {
      for (const word of words) {
        const line = `${word} ${id}`;
        if (!this.#said.has(line)) continue;
        // An answer may come again; an end does not.
        if (word === "answer") this.#said.delete(line);
        return word;
      }
      const left = until - Date.now();
      if (left <= 0) throw new Error(`none of ${words} has come of ${id}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  #note(line: string): void {
    this.#said.add(line);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #read(lines: Lines): Promise<void> {
    for (;;) {
      const line = await lines.next();
      if (line === null) return;
      this.#note(line);
    }
  }
}

/** Whether there is no server, or it has closed the connection without a word. */
function isRefusal(error: unknown): boolean {
  const { ConnectionRefused, ConnectionReset, BrokenPipe } = Deno.errors;
  return [ConnectionRefused, ConnectionReset, BrokenPipe].some((kind) => error instanceof kind);
}
