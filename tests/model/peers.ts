/** The clients of a model's run: processes on Unix sockets, and holders of keys on TCP. */
import { fromFileUrl } from "@std/path";
import { keyId } from "../../lib/keys/key_id.ts";
import type { Channel } from "../../lib/protocol/channel.ts";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { Lines, type Program } from "../support/program.ts";
import type { Peer } from "./access_model.ts";

const SCRIPT = fromFileUrl(new URL("peers.py", import.meta.url));
/** How long anything may take, in milliseconds. */
const TIMEOUT_MS = 20_000;
/** How long a session may go on that must end, in milliseconds. */
const END_TIMEOUT_MS = 10_000;

/** What a client has seen of its connection. */
export interface Seen {
  /** The greeting of the service, where it was let in. */
  told?: Readonly<Record<string, unknown>>;
  /** How many bytes went each way, without encryption. */
  sent: number;
  received: number;
  /** Its address, and the id of its key, on TCP. */
  remote?: string;
  key?: string;
}

/** Clients, and what has become of the connection of each. */
export class Peers implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #said = new Set<string>();
  readonly #seen = new Map<string, Seen>();
  readonly #waiting = new Set<() => void>();
  readonly #keyed = new Map<string, Deno.TcpConn>();
  readonly #reading: Promise<void>;

  constructor(program: Program) {
    const child = program.command(["python3", SCRIPT], { input: "" }).spawn();
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read(new Lines(child.stdout));
  }

  /** The process of the clients on Unix sockets. */
  async self(): Promise<{ readonly pid: number; readonly exe: string }> {
    await this.#send("self");
    await this.#first(["self"] as const, "peers");
    return this.#seen.get("peers") as unknown as { pid: number; exe: string };
  }

  /** What a client has seen so far: the object follows its connection. */
  seen(id: string): Seen {
    const seen = this.#seen.get(id) ?? { sent: 0, received: 0 };
    this.#seen.set(id, seen);
    return seen;
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
    const { hostname: host, port: own } = connection.localAddr;
    const seen = Object.assign(this.seen(id), { remote: `${host}:${own}`, key: keyId(key) });
    const handshake = new ClientHandshake(key, { client: "model", user: null });
    const stream = await this.#shake(connection, handshake);
    if (stream === null) {
      connection.close();
      return false;
    }
    this.#keyed.set(id, connection);
    await this.#greet(connection, stream, seen);
    this.#untilEnd(id, connection, stream, seen);
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
    if (keyed === undefined) {
      await this.#send(`close ${id}`);
      return void await this.#first(["closed", "ended"] as const, id);
    }
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

  /** @returns What comes after the handshake; null where it was refused. */
  async #shake(connection: Deno.TcpConn, handshake: ClientHandshake): Promise<KeyedStream | null> {
    const buffer = new Uint8Array(4096);
    try {
      await connection.write(new Uint8Array(handshake.start()));
      for (;;) {
        const length = await connection.read(buffer);
        if (length === null) return null;
        for (const event of handshake.push(buffer.slice(0, length))) {
          if (event.kind === "send") await connection.write(new Uint8Array(event.bytes));
          else return event.kind === "accepted" ? new KeyedStream(event.channel, event.rest) : null;
        }
      }
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  }

  /** Reads the greeting. */
  async #greet(connection: Deno.TcpConn, stream: KeyedStream, seen: Seen): Promise<void> {
    const buffer = new Uint8Array(4096);
    while (!stream.text.endsWith("\n")) {
      const length = await connection.read(buffer);
      if (length === null) throw new Error(`no greeting, but "${stream.text}"`);
      stream.push(buffer.subarray(0, length));
    }
    Object.assign(seen, { told: JSON.parse(stream.text).params, received: stream.received });
  }

  #untilEnd(id: string, connection: Deno.TcpConn, stream: KeyedStream, seen: Seen): void {
    const buffer = new Uint8Array(4096);
    const read = async () => {
      for (;;) {
        const length = await connection.read(buffer);
        if (length === null) return;
        stream.push(buffer.subarray(0, length));
        seen.received = stream.received;
      }
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
      const [word, id] = line.split(" ", 2);
      Object.assign(this.seen(id!), JSON.parse(line.slice(`${word} ${id} `.length)));
      this.#note(`${word} ${id}`);
    }
  }
}

/** What the server sends to the holder of a key. */
class KeyedStream {
  readonly #channel: Channel;
  /** How many bytes have come, without encryption. */
  received = 0;
  /** The same as text. */
  text = "";

  constructor(channel: Channel, rest: Uint8Array) {
    this.#channel = channel;
    this.push(rest.slice());
  }

  push(chunk: Uint8Array): void {
    const out = new Uint8Array(this.#channel.capacityFor(chunk.length));
    const { length, error } = this.#channel.open(chunk, out);
    if (error !== null) throw new Error(`the connection is ${error}`);
    this.received += length;
    this.text += new TextDecoder().decode(out.subarray(0, length));
  }
}

/** Whether there is no server, or it has closed the connection without a word. */
function isRefusal(error: unknown): boolean {
  const { ConnectionRefused, ConnectionReset, BrokenPipe } = Deno.errors;
  return [ConnectionRefused, ConnectionReset, BrokenPipe].some((kind) => error instanceof kind);
}
