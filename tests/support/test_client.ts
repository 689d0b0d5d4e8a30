/** Clients of a server in the test's own process, as any uid or with any key. */
import { connectWithKey } from "../../lib/client/connect_tcp.ts";
import { ServerStream } from "../../lib/client/server_stream.ts";
import { connect, unixSocket } from "../../lib/libc/sockets.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";

/** A connection to a server, line by line. */
export class TestClient {
  readonly #stream: ServerStream;
  #text = "";
  #isOver = false;
  #wake = () => {};
  #sent = Promise.resolve();

  private constructor(stream: ServerStream) {
    this.#stream = stream;
    void this.#read();
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
    const received = new Uint8Array(0);
    return new TestClient(
      new ServerStream({ descriptor: socket, seal: null, received, isLost: null }),
    );
  }

  /** Passes the access check of a server on 127.0.0.1. */
  static async tcp(
    port: number,
    key: Uint8Array,
    user: string | null = null,
  ): Promise<TestClient> {
    const to = { host: "127.0.0.1", port };
    const connection = await connectWithKey(to, key, { client: "test/1", user });
    const { descriptor, channel, rest } = connection;
    return new TestClient(
      new ServerStream({ descriptor, seal: channel, received: rest.slice(), isLost: null }),
    );
  }

  send(bytes: string | Uint8Array): void {
    const sent = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes.slice();
    this.#sent = this.#sent.then(() => this.#stream.write(sent)).catch(() => {});
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

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const chunk = await this.#stream.read();
        if (chunk === null) break;
        this.#text += decoder.decode(chunk, { stream: true });
        this.#wake();
      }
    } catch {
      // However it ends.
    }
    this.#isOver = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#stream.close();
  }
}
