/** The server side of a console, for tests of the client: real sockets, and answers of the test. */
import { createServer, type Socket } from "node:net";
import { join } from "@std/path";
import { ServerStream } from "../../lib/client/server_stream.ts";
import { bind, listen, unixSocket, unixSocketPair } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { adoptSocket } from "../../lib/net/adopted_socket.ts";
import { LineSplitter } from "../../lib/service/console/lines.ts";
import { MAX_REQUEST_BYTES, type Welcome } from "../../lib/service/console/protocol.ts";

/** The parameters of an ordinary greeting. */
export const WELCOME: Welcome = {
  server: "ipcauth",
  version: "0.1.0",
  user: "bob",
  admin: false,
  trusted: false,
  from: "127.0.0.1",
  host: "harbour",
  session: 7,
};

/** The first line of a console: the notification `welcome`. */
export function welcomeLine(changes: Partial<Welcome> = {}): string {
  const params = { ...WELCOME, ...changes };
  return JSON.stringify({ jsonrpc: "2.0", method: "welcome", params }) + "\n";
}

/** A call of the client. */
export interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** The answer to a call: a result, an error, no answer, or the end of the connection. */
export type Answer =
  | { readonly result: unknown }
  | { readonly error: unknown }
  | { readonly noAnswer: true }
  | { readonly hangUp: true };

/** Answers the calls of a connection. @returns The calls, in their order. */
export function answerCalls(socket: Socket, answer: (call: Call) => Answer): Call[] {
  const calls: Call[] = [];
  const splitter = new LineSplitter(MAX_REQUEST_BYTES);
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.on("data", (chunk: Uint8Array) => {
    for (const line of splitter.push(chunk)) {
      const call: Call = JSON.parse(line);
      calls.push(call);
      const answered = answer(call);
      if ("hangUp" in answered) socket.destroy();
      else if (!("noAnswer" in answered)) {
        socket.write(JSON.stringify({ jsonrpc: "2.0", id: call.id, ...answered }) + "\n");
      }
    }
  });
  return calls;
}

/** The two ends of a socket pair. */
export interface Pair {
  readonly client: ServerStream;
  readonly server: Socket;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens a socket pair. */
export function socketPair(): Pair {
  const [one, other] = unixSocketPair();
  const client = new ServerStream({
    descriptor: one,
    seal: null,
    received: new Uint8Array(0),
    isLost: null,
  });
  const server = adoptSocket(other);
  server.on("error", () => {});
  return {
    client,
    server,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await destroyed(server);
    },
  };
}

function destroyed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.destroy();
  });
}

/** A server on a socket in a directory of its own. */
export class FakeServer implements AsyncDisposable {
  readonly directory: string;
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  private constructor(directory: string, serve: (socket: Socket) => void) {
    this.directory = directory;
    this.path = join(directory, "ipc.sock");
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      serve(socket);
    });
  }

  /** Starts listening. */
  static async open(serve: (socket: Socket) => void): Promise<FakeServer> {
    const server = new FakeServer(await Deno.makeTempDir(), serve);
    // Not by node:net, which would need permission for every Unix socket.
    const socket = unixSocket();
    bind(socket, unixAddress(server.path));
    listen(socket, 8);
    await new Promise<void>((resolve) =>
      server.#server.listen({ fd: socket.release() }, () => resolve())
    );
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sockets].map(destroyed));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Deno.remove(this.directory, { recursive: true });
  }
}
