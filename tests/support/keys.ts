/** What tests over TCP share: keys, ports, a raw client, a server that lets holders of keys in. */
import { join } from "@std/path";
import { type AuditEvent, Program, type RunningServer } from "./program.ts";

/** A key file as it may come from elsewhere: 43 characters on a line. */
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

/** A port that was free a moment ago. */
export function freePort(hostname = "127.0.0.1"): number {
  using listener = Deno.listen({ hostname, port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** A program and a server on TCP, whose configuration can be changed. */
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
   * Starts it.
   *
   * @param write Makes what the configuration needs, and returns its text.
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

  /** `connect` with a key, and whatever else. */
  connect(key: string, ...args: string[]) {
    const path = key.includes("/") ? key : join(this.program.directory, key);
    return this.program.run(["connect", `--tcp=${this.address}`, `--key=${path}`, ...args]);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A raw connection. */
  dial(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** What was logged of the connection that comes from a port. */
  eventsOf(connection: Deno.TcpConn): AuditEvent[] {
    const remote = `127.0.0.1:${(connection.localAddr as Deno.NetAddr).port}`;
    return this.server.log.filter((event) => event.remote === remote);
  }

  /** The refusal of a connection, once it is logged. */
  denied(connection: Deno.TcpConn): Promise<AuditEvent> {
    const remote = `127.0.0.1:${(connection.localAddr as Deno.NetAddr).port}`;
    return this.server.event("deny", (event) => event.remote === remote);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

/** Reads to the end of a connection. @returns What came, and whether the end was a clean one. */
export async function drain(
  connection: Deno.Conn,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; reset: boolean }> {
  const chunks: Uint8Array[] = [];
  let reset = false;
  try {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      chunks.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    reset = true;
  }
  return { bytes: new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), reset };
}

/** Writes all of it; a server that has closed already is no failure. */
export async function sendAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
  } catch (error) {
    const gone = error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.ConnectionReset;
    if (!gone) throw error;
  }
}
