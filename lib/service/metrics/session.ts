/**
 * The metrics' part in the control plane: HTTP requests in, answers out, one after the other.
 *
 * It serves two resources to monitoring systems, and reads no body (RFC 9112).
 *
 * @module
 */
import type { Socket } from "node:net";
import type { SessionEnd } from "../console/session.ts";
import { renderMetrics } from "./open_metrics.ts";

/** The longest head of a request, in bytes. */
const MAX_HEAD_BYTES = 8_192;

/** How long what a client still sends is discarded after the last answer, in milliseconds. */
const LINGER_MS = 2_000;

/** The media type of the OpenMetrics text format, version 1.0. */
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT = "text/plain; charset=utf-8";

/** What is answered. */
export interface MetricsSource {
  /** Whether the session may have an answer now; where not, it is being terminated. */
  confirm(): Promise<boolean>;
  /** Counts by name. */
  stats(): Promise<Readonly<Record<string, number>>>;
  /** Why the server is not healthy; null where it is. */
  problem(): Promise<string | null>;
}

/** What an answer is made of. */
export interface ServerFacts {
  readonly stats: Readonly<Record<string, number>>;
  readonly problem: string | null;
}

/** An answer, and whether the connection stays open after it. */
interface Answer {
  readonly status: string;
  readonly type: string;
  readonly body: string;
  readonly headers?: readonly string[];
  readonly withBody: boolean;
  readonly keepAlive: boolean;
}

/** One session of the service `metrics`. */
export class MetricsSession {
  readonly #socket: Socket;
  readonly #source: MetricsSource;
  #failed = false;

  constructor(socket: Socket, source: MetricsSource) {
    this.#socket = socket;
    this.#source = source;
  }

  /** Answers requests until one side ends. @returns The session's counts. */
  async run(): Promise<SessionEnd> {
    const socket = this.#socket;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => this.#failed = true);
    try {
      await this.#answerAll();
      if (!socket.destroyed) {
        socket.end();
        // Unread bytes would keep the end of the client from being seen.
        socket.resume();
        const linger = setTimeout(() => socket.destroy(), LINGER_MS);
        socket.once("close", () => clearTimeout(linger));
      }
    } catch {
      // The connection broke, or the session was terminated.
      this.#failed = true;
      socket.destroy();
    }
    await closed;
    return { bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten, failed: this.#failed };
  }

  /** Closes the connection at once. */
  terminate(): void {
    this.#socket.destroy();
  }

  async #answerAll(): Promise<void> {
    let received = "";
    const chunks: AsyncIterable<Uint8Array> = this.#socket.iterator({ destroyOnReturn: false });
    const decoder = new TextDecoder("latin1");
    for await (const chunk of chunks) {
      received += decoder.decode(chunk);
      for (;;) {
        const end = received.indexOf("\r\n\r\n");
        if (end > MAX_HEAD_BYTES || end < 0 && received.length > MAX_HEAD_BYTES) {
          await this.#write(refusal("431 Request Header Fields Too Large"));
          return;
        }
        if (end < 0) break;
        const head = received.slice(0, end);
        received = received.slice(end + 4);
        if (!await this.#source.confirm()) return;
        const problem = await this.#source.problem();
        const answer = answerTo(head, { stats: await this.#source.stats(), problem });
        await this.#write(answer);
        if (!answer.keepAlive) return;
      }
    }
  }

  /** Writes an answer, and waits where the client does not read. */
  async #write({ status, type, body, headers, withBody, keepAlive }: Answer): Promise<void> {
    const content = new TextEncoder().encode(body);
    const head = [
      `HTTP/1.1 ${status}`,
      `Content-Type: ${type}`,
      `Content-Length: ${content.length}`,
      "Cache-Control: no-store",
      ...headers ?? [],
      ...keepAlive ? [] : ["Connection: close"],
    ];
    const bytes = new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`);
    const message = withBody ? new Uint8Array([...bytes, ...content]) : bytes;
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(message, (error) => error ? reject(error) : resolve());
    });
  }
}

/** The answer to a request that cannot be read. The rest of the connection cannot be, either. */
function refusal(status: string): Answer {
  return { status, type: TEXT, body: `${status}\n`, withBody: true, keepAlive: false };
}

/**
 * Answers a request.
 *
 * @param head The request line and the fields, without the empty line.
 */
export function answerTo(head: string, { stats, problem }: ServerFacts): Answer {
  const [line = "", ...fields] = head.split("\r\n");
  const request = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[!-~]*) HTTP\/1\.([01])$/.exec(line);
  const values = new Map<string, string>();
  for (const field of fields) {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(field) ??
        [];
    if (name === undefined || value === undefined) return refusal("400 Bad Request");
    values.set(name.toLowerCase(), value);
  }
  const [, method, target = "", minor] = request ?? [];
  if (request === null || minor === "1" && !values.has("host")) return refusal("400 Bad Request");
  // A body would be read as the next request.
  if (values.has("transfer-encoding") || (values.get("content-length") ?? "0") !== "0") {
    return refusal("413 Content Too Large");
  }
  const connection = values.get("connection")?.toLowerCase() ?? "";
  const keepAlive = minor === "1" ? !/\bclose\b/.test(connection) : false;
  const base = { withBody: method !== "HEAD", keepAlive };
  if (method !== "GET" && method !== "HEAD") {
    const status = "405 Method Not Allowed";
    return { ...base, status, type: TEXT, body: `${status}\n`, headers: ["Allow: GET, HEAD"] };
  }
  switch (target.split("?")[0]) {
    case "/metrics":
      return { ...base, status: "200 OK", type: OPEN_METRICS, body: renderMetrics(stats) };
    case "/healthz":
      return problem === null
        ? { ...base, status: "200 OK", type: TEXT, body: "ok\n" }
        : { ...base, status: "503 Service Unavailable", type: TEXT, body: `${problem}\n` };
    default:
      return { ...base, status: "404 Not Found", type: TEXT, body: "GET /metrics or /healthz\n" };
  }
}
