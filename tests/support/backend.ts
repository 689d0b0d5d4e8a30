/** Services of others, for tests that stand a listener in front of them, and people in the middle. */
import { KeyedServer, writeKey } from "./keys.ts";
import type { Program } from "./program.ts";

/** A backend on a Unix socket, one function call a connection. */
export class Backend {
  readonly path: string;
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.Conn>();

  constructor(path: string, serve: (connection: Deno.UnixConn) => Promise<void>) {
    this.path = path;
    const listener = Deno.listen({ transport: "unix", path });
    this.#listener = listener;
    (async () => {
      for await (const connection of listener) {
        this.#connections.add(connection);
        // A peer that leaves early is none of the backend's business.
        serve(connection).catch(() => {}).finally(() => this.#hangUp(connection));
      }
    })().catch(() => {});
  }

  #hangUp(connection: Deno.Conn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) this.#hangUp(connection);
  }
}

/** Sends back what comes, and ends when the peer has. */
export async function echo(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(256 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    await writeAll(connection, buffer.subarray(0, count));
  }
}

/** Writes all of some bytes. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

/** A keyed listener in front of a backend at `backend.sock`. bob.key opens it; wrong.key is nobody's. */
export function forwardServer(): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const bob = await writeKey(program, "bob.key");
    await writeKey(program, "wrong.key");
    return `listeners:
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${bob}, user: bob }]
    service: { forward: "unix:${program.path("backend.sock")}" }
users: [{ name: bob, uid: 579, local_ipc_access: true }]
limits: { grace: 0s }
`;
  });
}

/** Somebody on the wire between client and server: sees and may change what passes. */
export class Wiretap {
  readonly port: number;
  /** What the client sent, and what the server sent. */
  readonly seen: readonly [Uint8Array[], Uint8Array[]] = [[], []];
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();

  /**
   * @param to The server's port.
   * @param change What is passed on instead of a chunk of the server's; null cuts the wire.
   */
  constructor(
    to: number,
    change: (chunk: Uint8Array, before: number) => Uint8Array | null = (chunk) => chunk,
  ) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#listener = listener;
    this.port = (listener.addr as Deno.NetAddr).port;
    (async () => {
      for await (const client of listener) {
        const server = await Deno.connect({ hostname: "127.0.0.1", port: to });
        this.#connections.add(client).add(server);
        this.#pass(client, server, this.seen[0], (chunk) => chunk);
        this.#pass(server, client, this.seen[1], change);
      }
    })().catch(() => {});
  }

  async #pass(
    from: Deno.TcpConn,
    to: Deno.TcpConn,
    seen: Uint8Array[],
    change: (chunk: Uint8Array, before: number) => Uint8Array | null,
  ): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    let before = 0;
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        const chunk = buffer.slice(0, count);
        seen.push(chunk);
        const changed = change(chunk, before);
        before += count;
        if (changed === null) break;
        await writeAll(to, changed);
      }
      await to.closeWrite();
    } catch {
      // One of them has gone, and the other will see it.
    }
  }

  /** Everything that was seen, as one text of single bytes. */
  text(): string {
    return this.seen.flat().map((chunk) => String.fromCharCode(...chunk)).join("");
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }
}

/** A running `ipcauth connect --listen`. */
export class RunningTunnel {
  readonly child: Deno.ChildProcess;
  /** What it has said, a line each. */
  readonly said: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<void>;
  #ended = false;

  constructor(child: Deno.ChildProcess) {
    this.child = child;
    child.stdout.cancel().catch(() => {});
    this.#reading = this.#read();
  }

  /** Starts one, and waits until it listens. */
  static async open(
    program: Program,
    { port, key, address }: { port: number; key: string; address: string },
  ): Promise<RunningTunnel> {
    const args = ["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`];
    const tunnel = new RunningTunnel(program.command([...args, "--listen", address]).spawn());
    await tunnel.line("listening on ");
    return tunnel;
  }

  /** The first line that holds a text, waiting for it. */
  async line(part: string): Promise<string> {
    for (;;) {
      const found = this.said.find((line) => line.includes(part));
      if (found !== undefined) return found;
      if (this.#ended) {
        throw new Error(`the tunnel ended without "${part}": ${this.said.join("\n")}`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Ends it. @returns Its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.child.kill(signal);
    } catch {
      // It has ended by itself; the status tells how.
    }
    const { code } = await this.child.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.stop("SIGKILL");
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      this.said.push(...lines);
      this.#eventFd();
    }
    this.#ended = true;
    this.#eventFd();
  }

  #eventFd(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
