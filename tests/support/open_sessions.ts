/** Sessions in every service and state, for tests of how the server ends them. */
import { connectWithKey } from "../../lib/client/connect_tcp.ts";
import { connect, unixSocket } from "../../lib/libc/sockets.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { Backend, writeAll } from "./backend.ts";
import { freePort, readKey, writeKey } from "./keys.ts";
import { type AuditEvent, Program, type RunningServer } from "./program.ts";
import { TestPeer } from "./relay_harness.ts";

export const SERVICES = ["console", "forward", "exec"] as const;
export const TRANSPORTS = ["unix", "tcp"] as const;
/** What the client does when its session is ended. */
export const STATES = ["reads", "does not read", "half closed", "pipelined"] as const;

type Service = typeof SERVICES[number];
type Transport = typeof TRANSPORTS[number];
type State = typeof STATES[number];

const BOB = { uid: 579, gid: 579, groups: [] };
/** Enough users for one answer of about 100 kB. */
const MANY_USERS = 1_000;

const request = (method: string) => `{"jsonrpc":"2.0","id":1,"method":"${method}"}\n`;

/** What a client of a console sends: answers that fill every buffer where it does not read. */
const CONSOLE_INPUT: Readonly<Record<State, string>> = {
  "reads": request("stats"),
  "does not read": request("users.list").repeat(300),
  "half closed": request("users.list").repeat(300),
  "pipelined": request("stats").repeat(2_000),
};

/** What a program, and a backend, does with its first line. */
const BEHAVIOUR: Readonly<Record<State, string>> = {
  "reads": "answer",
  "does not read": "flood",
  "half closed": "wait",
  "pipelined": "wait",
};

/** The first line decides: `answer` once, `flood` without end, or `wait`; the connection stays. */
const SCRIPT = `#!/bin/sh
read line
case $line in
answer) echo answered;;
flood) exec yes;;
esac
exec sleep 1000
`;

async function behave(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(8);
  const count = await connection.read(buffer);
  const line = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  if (line.startsWith("answer")) await writeAll(connection, new TextEncoder().encode("answered\n"));
  while (line.startsWith("flood")) await writeAll(connection, new Uint8Array(64 * 1024));
  // Neither reads nor ends.
  await new Promise(() => {});
}

/** A client and its session. */
export interface OpenSession {
  readonly name: string;
  readonly session: unknown;
  readonly service: Service;
  readonly transport: Transport;
  readonly state: State;
  readonly peer: TestPeer;
}

/** A server with every service on both transports, and a session of bob in each state. */
export class OpenSessions implements AsyncDisposable {
  readonly program: Program;
  readonly server: RunningServer;
  readonly config: string;
  readonly #backend: Backend;
  readonly #ports: Readonly<Record<Service, number>>;
  readonly sessions: OpenSession[] = [];
  readonly #peers: TestPeer[] = [];
  /** The peers that read now. */
  readonly readers = new Set<TestPeer>();
  readonly #pump = setInterval(() => this.#turn(), 2);

  private constructor(
    program: Program,
    server: RunningServer,
    config: string,
    backend: Backend,
    ports: Record<Service, number>,
  ) {
    this.program = program;
    this.server = server;
    this.config = config;
    this.#backend = backend;
    this.#ports = ports;
  }

  /** Opens them. @param limits The `limits:` of the server. */
  static async open(limits: string): Promise<OpenSessions> {
    const program = await Program.install({ privateSystem: true });
    const key = await writeKey(program, "bob.key");
    const script = await program.write("script.sh", SCRIPT, 0o755);
    const path = program.path("backend.sock");
    const services: Record<Service, string> = {
      console: "console",
      forward: `{ forward: "unix:${path}" }`,
      exec: `{ exec: [${script}] }`,
    };
    const ports = { console: freePort(), forward: freePort(), exec: freePort() };
    const listeners = SERVICES.map((name) =>
      `  - { unix: ${program.path(`${name}.sock`)}, service: ${services[name]} }\n` +
      `  - { tcp: "127.0.0.1:${ports[name]}", keys: [{ file: ${key}, user: bob }], ` +
      `service: ${services[name]} }\n`
    );
    const others = Array.from(
      { length: MANY_USERS },
      (_, index) => `  - { name: user${index}, uid: ${10_000 + index}, local_ipc_access: false }\n`,
    );
    const config = await program.write(
      "config.yaml",
      `listeners:\n${listeners.join("")}limits: { ${limits} }\nusers:\n` +
        `  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }\n${others.join("")}`,
    );
    const backend = new Backend(path, behave);
    const server = await program.serve(["--config", config]);
    await server.events("listen", listeners.length * 2);
    const all = new OpenSessions(program, server, config, backend, ports);
    for (const service of SERVICES) {
      for (const transport of TRANSPORTS) {
        for (const state of STATES) await all.#open(service, transport, state);
      }
    }
    return all;
  }

  async #open(service: Service, transport: Transport, state: State): Promise<void> {
    const peer = transport === "unix"
      ? this.#connectUnix(service)
      : await this.#connectTcp(service);
    this.#peers.push(peer);
    if (state === "reads" || (state === "pipelined" && service === "console")) {
      this.readers.add(peer);
    }
    const line = `${BEHAVIOUR[state]}\n`;
    peer.send(service === "console" ? CONSOLE_INPUT[state] : line);
    if (state === "half closed") peer.finish();
    if (state === "pipelined" && service !== "console") peer.send(new Uint8Array(16 << 20));
    const { session } = (await this.server.events("allow", this.sessions.length + 1)).at(-1)!;
    const name = `${service} over ${transport}, ${state}`;
    this.sessions.push({ name, session, service, transport, state, peer });
  }

  #connectUnix(service: Service): TestPeer {
    const socket = unixSocket();
    const address = unixAddress(this.program.path(`${service}.sock`));
    const error = new ThreadImpersonation().run(BOB, () => connect(socket, address));
    if (error !== 0) throw new Error(`connect: ${error}`);
    return new TestPeer(socket, null);
  }

  async #connectTcp(service: Service): Promise<TestPeer> {
    const address = { host: "127.0.0.1", port: this.#ports[service] };
    const key = readKey(this.program.path("bob.key"));
    const hello = { client: "test/1", user: null };
    const { descriptor, channel, rest } = await connectWithKey(address, key, hello);
    const peer = new TestPeer(descriptor, channel);
    if (rest.length > 0) peer.take(rest);
    return peer;
  }

  /** Waits until the clients that read have read, or were too late for an idle timeout. */
  async settled(): Promise<void> {
    const isSettled = ({ peer, state }: OpenSession) =>
      state !== "reads" || peer.received > 0 || peer.end !== "open";
    while (!this.sessions.every(isSettled)) await pause();
  }

  /** Runs a command of the console as root, on a connection of its own. */
  async command(...commands: string[]): Promise<number> {
    const where = `--unix=${this.program.path("console.sock")}`;
    const args = commands.flatMap((command) => ["-c", command]);
    return (await this.program.run(["connect", where, ...args])).code;
  }

  /** The `close` of each session, by its name, once each has one. */
  async closes(): Promise<Map<string, AuditEvent>> {
    const closes = new Map<string, AuditEvent>();
    for (const { name, session } of this.sessions) {
      closes.set(name, await this.server.event("close", (event) => event.session === session));
    }
    return closes;
  }

  /** Waits until each client has seen the end of its connection, and all that comes before it. */
  async ended(sessions: readonly OpenSession[] = this.sessions): Promise<void> {
    for (const { peer } of sessions) this.readers.add(peer);
    while (!sessions.every(({ peer }) => peer.end !== "open")) await pause();
  }

  #turn(): void {
    for (const peer of this.#peers) peer.write();
    for (const peer of this.readers) for (let times = 0; times < 16 && peer.read(); times++);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#pump);
    await this.server[Symbol.asyncDispose]();
    for (const peer of this.#peers) peer.close();
    this.#backend[Symbol.dispose]();
    await this.program.remove();
  }
}

/** The clients move their bytes meanwhile. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
