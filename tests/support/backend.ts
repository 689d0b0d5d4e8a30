/** Backends, a tunnel, and a proxy that changes bytes, for tests of forward services. */
import { KeyedServer, writeKey } from "./keys.ts";
import type { Program } from "./program.ts";
import { RunningProgram } from "./running_program.ts";

/** A backend on a Unix socket that calls a function for each connection. */
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
        // A peer may close early.
        serve(connection).catch(() => {}).finally(() => this.#close(connection));
      }
    })().catch(() => {});
  }

  #close(connection: Deno.Conn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) this.#close(connection);
  }
}

/** Sends back what arrives, and ends when the peer has ended. */
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

/** A keyed listener for a backend at `backend.sock`, with bob.key; wrong.key has no access. */
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

/** A proxy between client and server that keeps, and may change, the bytes. */
export class Wiretap {
  readonly port: number;
  /** The chunks of the client, and those of the server. */
  readonly seen: readonly [Uint8Array[], Uint8Array[]] = [[], []];
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();

  /**
   * @param to The server's port.
   * @param change Returns what is passed on for a chunk of the server; null closes the connection.
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
      // One side has closed; the other will see it.
    }
  }

  /** All bytes of both directions, as a text with one character for each byte. */
  text(): string {
    return this.seen.flat().map((chunk) => String.fromCharCode(...chunk)).join("");
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }
}

/** A running `ipcauth connect --listen`. */
export class RunningTunnel extends RunningProgram {
  /** The lines that it has printed. */
  readonly lines: string[] = [];

  /** Starts one, and waits until it listens. */
  static async open(
    program: Program,
    { host = "127.0.0.1", port, key, address, more = [], first = "listening on " }: {
      host?: string;
      port: number;
      key: string;
      address: string;
      /** More arguments. */
      more?: readonly string[];
      /** A part of the line that says that it listens. */
      first?: string;
    },
  ): Promise<RunningTunnel> {
    const args = ["ipcauth", "connect", `--tcp=${host}:${port}`, `--key=${key}`];
    const tunnel = new RunningTunnel(
      program.command([...args, "--listen", address, ...more]).spawn(),
    );
    await tunnel.line(first);
    return tunnel;
  }

  /** Waits for the first line that contains a text. */
  async line(part: string): Promise<string> {
    for (;;) {
      const found = this.lines.find((line) => line.includes(part));
      if (found !== undefined) return found;
      await this.next(part);
    }
  }

  protected override get output(): string {
    return this.lines.join("\n");
  }

  protected override add(line: string): void {
    this.lines.push(line);
  }
}
