/** Keys, ports, and a server with keys, for tests over TCP. */
import { join } from "@std/path";
import { SOL_SOCKET } from "../../lib/libc/constants.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { numericAddress } from "../../lib/libc/inet_address.ts";
import { setOption } from "../../lib/libc/socket_options.ts";
import { bind } from "../../lib/libc/sockets.ts";
import { SO_REUSEADDR, tcpSocket } from "../../lib/libc/tcp_socket.ts";
import { type AuditEvent, Program, type RunningServer } from "./program.ts";

/** Writes a key file: 43 base64url characters in one line. @returns Its path. */
export async function writeKey(program: Program, name: string): Promise<string> {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const text = secret.toBase64({ alphabet: "base64url", omitPadding: true });
  return await program.write(name, `${text}\n`, 0o600);
}

/** The 32 bytes of a key file. */
export function readKey(path: string): Uint8Array {
  const text = Deno.readTextFileSync(path).trim();
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}

/** Sockets that are bound to the ports that this test file was given. */
const holders: Descriptor[] = [];
globalThis.addEventListener("unload", () => holders.forEach((holder) => holder.close()));

/**
 * Finds a port that is not in use, and that no other test is given. It lies below the range from
 * which Linux takes the ports of clients (32768 to 60999, `ip_local_port_range` in ip(7)), so no
 * client takes it meanwhile.
 *
 * A socket stays bound to it, and does not listen. With `SO_REUSEADDR` at both, which servers set,
 * another one can be bound to the same port and listen (socket(7)); this function binds without it.
 */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const address = numericAddress(hostname, port)!;
    const holder = tcpSocket(address);
    try {
      bind(holder, address);
      setOption(holder, SOL_SOCKET, SO_REUSEADDR, 1);
      holders.push(holder);
      return port;
    } catch (error) {
      holder.close();
      if (!(error instanceof SystemError && error.errno === Errno.EADDRINUSE)) throw error;
    }
  }
}

/** A program and a server with a TCP listener. */
export class KeyedServer implements AsyncDisposable {
  readonly program: Program;
  readonly server: RunningServer;
  readonly port: number;
  readonly config: string;

  private constructor(program: Program, server: RunningServer, port: number, config: string) {
    this.program = program;
    this.server = server;
    this.port = port;
    this.config = config;
  }

  /**
   * Starts the server.
   *
   * @param write Writes the files of the configuration, and returns its text.
   */
  static async open(
    write: (program: Program, port: number) => Promise<string> | string,
  ): Promise<KeyedServer> {
    const program = await Program.install();
    try {
      const port = freePort();
      const config = await program.write("config.yaml", await write(program, port));
      return new KeyedServer(program, await program.serve(["--config", config]), port, config);
    } catch (error) {
      await program.remove();
      throw error;
    }
  }

  /** Runs `connect` with a key and more arguments. */
  connect(key: string, ...args: string[]) {
    const path = key.includes("/") ? key : join(this.program.directory, key);
    return this.program.run(["connect", `--tcp=${this.address}`, `--key=${path}`, ...args]);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Opens a TCP connection. */
  openConnection(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** The events of a connection, found by its port. */
  eventsOf(connection: Deno.TcpConn): AuditEvent[] {
    const remote = `127.0.0.1:${(connection.localAddr as Deno.NetAddr).port}`;
    return this.server.log.filter((event) => event.remote === remote);
  }

  /** Waits for the `deny` event of a connection. */
  denied(connection: Deno.TcpConn): Promise<AuditEvent> {
    const remote = `127.0.0.1:${(connection.localAddr as Deno.NetAddr).port}`;
    return this.server.event("deny", (event) => event.remote === remote);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}
