/**
 * A server with every service on both transports, and short visits of clients to each: who is let
 * in, and who must never be. For tests and soaks that make system calls fail.
 */
import { Backend, echo } from "./backend.ts";
import { leftOf, restingDescriptors } from "./exec_server.ts";
import { freePort, readKey, writeKey } from "./keys.ts";
import { Program, type RunningServer } from "./program.ts";
import { TestClient } from "./test_client.ts";

export const SERVICES = ["console", "exec", "forward"] as const;
export const TRANSPORTS = ["unix", "tcp"] as const;
export type Service = typeof SERVICES[number];
export type Transport = typeof TRANSPORTS[number];

/** Over TCP, alice has a wrong key. */
const UIDS = { alice: 578, bob: 579 } as const;
export type Visitor = keyof typeof UIDS;

/** How long a visit and what follows it may take, in milliseconds: far more than it needs. */
const LIMIT_MS = 10_000;
const STATS = '{"jsonrpc":"2.0","id":1,"method":"stats"}\n';

/** How a visit ended: `in` with an answer of the service, `closed` without a byte, or between. */
export type Visit = "in" | "closed" | "cut" | "no server" | "hung";

/** What the server holds when no client is connected. */
interface Baseline {
  readonly descriptors: number;
}

/** Options of {@link ServiceVisits.open}. */
export interface VisitsOptions {
  /** More limits: lines of `limits`. */
  readonly more?: string;
  /** What the program of `exec` does, as a script. */
  readonly program?: string;
  /** Whether there is a listener for `metrics`. */
  readonly metrics?: boolean;
  /** Variables of the server. */
  readonly env?: Record<string, string>;
}

/** A running server, and its clients. */
export class ServiceVisits implements AsyncDisposable {
  readonly program: Program;
  readonly config: string;
  readonly #ports: Readonly<Record<Service, number>>;
  #backend: Backend;
  readonly #options: VisitsOptions;
  readonly #own: Uint8Array;
  readonly #wrong: Uint8Array;
  #server: RunningServer;
  #version = 0;

  private constructor(
    program: Program,
    server: RunningServer,
    backend: Backend,
    ports: Record<Service, number>,
    options: VisitsOptions,
  ) {
    this.program = program;
    this.config = program.path("config.yaml");
    this.#server = server;
    this.#backend = backend;
    this.#ports = ports;
    this.#options = options;
    this.#own = readKey(program.path("bob.key"));
    this.#wrong = readKey(program.path("wrong.key"));
  }

  static async open(options: VisitsOptions = {}): Promise<ServiceVisits> {
    const program = await Program.install();
    const backend = new Backend(program.path("backend.sock"), echo);
    try {
      await writeKey(program, "bob.key");
      await writeKey(program, "wrong.key");
      const ports = { console: freePort(), exec: freePort(), forward: freePort() };
      await program.write("config.yaml", textOf(program, ports, options, 0));
      const server = await start(program, options);
      return new ServiceVisits(program, server, backend, ports, options);
    } catch (error) {
      backend[Symbol.dispose]();
      await program.remove();
      throw error;
    }
  }

  get server(): RunningServer {
    return this.#server;
  }

  /** The port of a service. */
  portOf(service: Service): number {
    return this.#ports[service];
  }

  /** Starts another server in the place of one that has ended. */
  async restart(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.#server = await start(this.program, this.#options);
  }

  /** Ends the backend and its connections, and starts another one after a time. */
  async replaceBackend(milliseconds: number): Promise<void> {
    const { path } = this.#backend;
    this.#backend[Symbol.dispose]();
    await Deno.remove(path).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    this.#backend = new Backend(path, echo);
  }

  /** Writes the configuration anew, with the same meaning. */
  async rewrite(): Promise<void> {
    const text = textOf(this.program, this.#ports, this.#options, ++this.#version);
    await this.program.write("config.yaml", text);
  }

  /** Connects and asks the service for something. */
  async visit(
    service: Service,
    transport: Transport,
    who: Visitor,
    limitMs = LIMIT_MS,
  ): Promise<Visit> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"hung">((resolve) =>
      timer = setTimeout(() => resolve("hung"), limitMs)
    );
    try {
      return await Promise.race([this.#visit(service, transport, who), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Connects, over TCP through the access check. @throws {Error} Where that is refused. */
  async connect(service: Service, transport: Transport, who: Visitor): Promise<TestClient> {
    if (transport === "unix") {
      return TestClient.unix(this.program.path(`${service}.sock`), UIDS[who]);
    }
    return await TestClient.tcp(this.#ports[service], who === "bob" ? this.#own : this.#wrong);
  }

  async #visit(service: Service, transport: Transport, who: Visitor): Promise<Visit> {
    let client: TestClient;
    try {
      client = await this.connect(service, transport, who);
    } catch (error) {
      const { message } = error as Error;
      return /error 111|Connection refused/.test(message) ? "no server" : "closed";
    }
    using _client = client;
    return await use(client, service);
  }

  /** A visit of bob, and of one who must not get in. */
  async visitAll(service: Service, transport: Transport): Promise<Record<string, Visit>> {
    const visitors: Visitor[] = ["bob", "alice"];
    const visits: Record<string, Visit> = {};
    for (const who of visitors) visits[who] = await this.visit(service, transport, who);
    return visits;
  }

  /** What it holds. To be asked when no client is connected, and each service has been used. */
  async baseline(): Promise<Baseline> {
    return { descriptors: await restingDescriptors(this.#server.pid) };
  }

  /**
   * Waits until nothing is left of the visits.
   *
   * @returns What is left after a long time; an empty text for nothing.
   */
  async left({ descriptors }: Baseline): Promise<string> {
    const until = Date.now() + LIMIT_MS;
    for (;;) {
      const left = leftOf(this.#server.pid, descriptors);
      const sessions = this.#server.count("allow") - this.#server.count("close");
      if (left === "" && sessions === 0) return "";
      if (Date.now() > until) return `${left}, ${sessions} more sessions begun than ended`;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The counts of the `metrics` listener, by their names. */
  async metrics(): Promise<Map<string, number>> {
    using client = TestClient.unix(this.program.path("metrics.sock"));
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const counts = new Map<string, number>();
    for (let line = await client.line(); line !== null; line = await client.line()) {
      const [, name, count] = /^(ipcauth_\S+) (\d+)$/.exec(line) ?? [];
      if (name !== undefined) counts.set(name, Number(count));
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.#backend[Symbol.dispose]();
    await this.program.remove();
  }
}

/** Asks a service for something. */
export async function use(client: TestClient, service: Service): Promise<Visit> {
  if (service === "forward") client.send("x\n");
  const first = await client.line();
  if (first === null) return "closed";
  if (service !== "console") return "in";
  client.send(STATS);
  const answer = await client.line();
  return answer?.includes('"result"') ? "in" : "cut";
}

async function start(
  program: Program,
  { env = {}, metrics = false }: VisitsOptions,
): Promise<RunningServer> {
  const server = await program.serve(["--config", program.path("config.yaml")], { env });
  await server.events("listen", SERVICES.length * TRANSPORTS.length + (metrics ? 1 : 0));
  return server;
}

function textOf(
  program: Program,
  ports: Record<Service, number>,
  { more = "", metrics = false, program: script = "echo hello; echo oops >&2" }: VisitsOptions,
  version: number,
): string {
  const keys = `keys: [{ file: ${program.path("bob.key")}, user: bob }]`;
  const services: Record<Service, string> = {
    console: "console",
    exec: `{ exec: [/bin/sh, -c, "${script}"] }`,
    forward: `{ forward: "unix:${program.path("backend.sock")}" }`,
  };
  const listeners = SERVICES.flatMap((name) => [
    `  - { unix: ${program.path(`${name}.sock`)}, service: ${services[name]} }\n`,
    `  - { tcp: "127.0.0.1:${ports[name]}", ${keys}, service: ${services[name]} }\n`,
  ]);
  if (metrics) {
    listeners.push(`  - { unix: ${program.path("metrics.sock")}, service: metrics }\n`);
  }
  return `# version ${version}
listeners:
${listeners.join("")}users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
limits:
  grace: 0s
${more}`;
}
