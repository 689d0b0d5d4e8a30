/** Clients of a server in the test's own process, as any uid or with any key. */
import type { Duplex } from "node:stream";
import { connectWithKey } from "../../lib/client/connect_tcp.ts";
import { EncryptedStream } from "../../lib/client/encrypted_stream.ts";
import { connect, unixSocket } from "../../lib/libc/sockets.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { adoptSocket } from "../../lib/net/adopted_socket.ts";

/** A connection to a server, line by line. */
export class TestClient {
  readonly #stream: Duplex;
  #text = "";
  #isOver = false;
  #wake = () => {};

  private constructor(stream: Duplex) {
    this.#stream = stream;
    const decoder = new TextDecoder();
    stream.on("data", (chunk: Uint8Array) => {
      this.#text += decoder.decode(chunk, { stream: true });
      this.#wake();
    });
    for (const event of ["end", "error", "close"]) {
      stream.on(event, () => {
        this.#isOver = true;
        this.#wake();
      });
    }
  }

  /**
   * Connects to a Unix socket.
   *
   * @param uid The uid and the gid that the kernel records; without it, those of this process.
   */
  static unix(path: string, uid?: number, groups: readonly number[] = []): TestClient {
    const socket = unixSocket();
    const open = () => connect(socket, unixAddress(path));
    const result = uid === undefined
      ? open()
      : new ThreadImpersonation().run({ uid, gid: uid, groups }, open);
    if (result !== 0) throw new Error(`connect() to ${path}: error ${result}`);
    return new TestClient(adoptSocket(socket.release()));
  }

  /** Passes the access check of a server on 127.0.0.1. Blocks this thread meanwhile. */
  static tcp(port: number, key: Uint8Array, user: string | null = null): TestClient {
    const to = { host: "127.0.0.1", port };
    const { descriptor, channel, rest } = connectWithKey(to, key, { client: "test/1", user });
    return new TestClient(new EncryptedStream(adoptSocket(descriptor.release()), channel, rest));
  }

  send(bytes: string | Uint8Array): void {
    this.#stream.write(bytes);
  }

  /** The next line; null at the end of the connection, however it ended. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      if (this.#isOver) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}
