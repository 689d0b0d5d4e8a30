/** Two data planes, whose keys and users change while many clients come to both. */
import { assert, assertEquals } from "@std/assert";
import { ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import { sendAll } from "../support/connections.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { untilAccepting } from "../support/planes.ts";
import { isRoot, Program, type RunningServer } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";
import { TestClient } from "../support/test_client.ts";

const BOB = 579;
const ALICE = 578;
/** How many clients come at once: each plane gets some of them. */
const CLIENTS = 12;

/** A client of "IPCAUTH1" that stops where it is told to. */
class KeyedClient {
  readonly #connection: Deno.TcpConn;
  readonly #handshake: ClientHandshake;
  readonly #buffer = new Uint8Array(4096);
  /** HELLO, once message 2 is there. */
  #hello: Uint8Array | null = null;

  private constructor(connection: Deno.TcpConn, key: Uint8Array) {
    this.#connection = connection;
    this.#handshake = new ClientHandshake(key, { client: "test/1", user: null });
  }

  /** Connects, and sends nothing. */
  static async open(port: number, key: Uint8Array): Promise<KeyedClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return new KeyedClient(connection, key);
  }

  /** Goes on until HELLO would be sent. @returns Whether the server has answered. */
  async untilHello(): Promise<boolean> {
    await sendAll(this.#connection, this.#handshake.start()).catch(() => {});
    return await this.#next() === "send";
  }

  /** Goes on to the end. @returns Whether it is let in. */
  async finish(): Promise<boolean> {
    if (this.#hello === null && !await this.untilHello()) return false;
    await sendAll(this.#connection, this.#hello!).catch(() => {});
    return await this.#next() === "accepted";
  }

  /** Waits until the server closes the connection. */
  async ended(): Promise<void> {
    while (await this.#connection.read(this.#buffer).catch(() => null) !== null);
  }

  async #next(): Promise<string> {
    for (;;) {
      const count = await this.#connection.read(this.#buffer).catch(() => null);
      if (count === null) return "closed";
      for (const event of this.#handshake.push(this.#buffer.subarray(0, count))) {
        if (event.kind === "send") this.#hello = event.bytes;
        return event.kind;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** A server with two data planes, bob's key in a file and one in a directory, and a console. */
class Fixture implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly port: number,
    public server: RunningServer,
    public root: RpcSession,
  ) {}

  static async open(): Promise<Fixture> {
    const program = await Program.install();
    const port = freePort();
    await Deno.mkdir(program.path("keys.d"), { mode: 0o700 });
    await writeKey(program, "bob.key");
    await writeKey(program, "keys.d/bob+laptop.key");
    await program.write("config.yaml", configOf(program, port));
    return new Fixture(program, port, ...await started(program));
  }

  /** Starts another server, once the one before has ended. */
  async restart(): Promise<void> {
    this.root[Symbol.dispose]();
    [this.server, this.root] = await started(this.program);
  }

  get text(): string {
    return Deno.readTextFileSync(this.program.path("config.yaml"));
  }

  /** As many consoles as alice opens at once. @returns Those that she gets, and keeps open. */
  async alices(): Promise<TestClient[]> {
    const clients = Array.from(
      { length: CLIENTS },
      () => TestClient.unix(this.program.path("s"), ALICE),
    );
    const welcomes = await Promise.all(clients.map((client) => client.line()));
    clients.forEach((client, index) => welcomes[index] ?? client[Symbol.dispose]());
    return clients.filter((_, index) => welcomes[index] !== null);
  }

  /** As many clients as come at once, all at the same step. */
  async clients(key: Uint8Array, step: (client: KeyedClient) => Promise<unknown>) {
    return await Promise.all(Array.from({ length: CLIENTS }, async () => {
      const client = await KeyedClient.open(this.port, key);
      await step(client);
      return client;
    }));
  }

  /** Waits until so many sessions are open beside root's; the counts and the log agree on them. */
  async untilOpen(count: number): Promise<void> {
    const { allowed } = (await this.root.call("stats")).result;
    const closed = await this.server.events("close", allowed - 1 - count);
    const opened = await this.server.events("allow", allowed);
    const { sessions } = (await this.root.call("stats")).result;
    assertEquals([sessions, opened.length - closed.length], [1 + count, 1 + count]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.root[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

/** A server whose planes both accept, and a console of root's. */
async function started(program: Program): Promise<[RunningServer, RpcSession]> {
  const server = await program.serve(["--config", program.path("config.yaml")]);
  await untilAccepting(server.pid, 2, 2);
  return [server, await RpcSession.unix(program.path("s"))];
}

function configOf(program: Program, port: number, notAfter = ""): string {
  return `listeners:
  - { unix: ${program.path("s")} }
  - tcp: 127.0.0.1:${port}
    keys:
      - { file: ${program.path("bob.key")}, user: bob${notAfter} }
      - { dir: ${program.path("keys.d")} }
    service: { exec: [/bin/cat] }
users:
  - { name: alice, uid: ${ALICE}, local_ipc_access: false }
  - { name: bob, uid: ${BOB}, local_ipc_access: true }
limits: { handshake_timeout: 60s, grace: 0s }
workers: 2
`;
}

const options = { ignore: !isRoot };

for (const name of ["bob.key", "keys.d/bob+laptop.key"]) {
  Deno.test(
    `two planes let no one in by ${name} once it is replaced, at whatever step (needs root)`,
    options,
    async () => {
      await using fixture = await Fixture.open();
      const { program, port } = fixture;
      for (let round = 1; round <= 3; round++) {
        const old = readKey(program.path(name));
        // Some have a session, some have all but sent HELLO, and some have connected.
        const open = await fixture.clients(old, async (client) => assert(await client.finish()));
        const half = await fixture.clients(
          old,
          async (client) => assert(await client.untilHello()),
        );
        const idle = await fixture.clients(old, () => Promise.resolve());
        // Others come all the time; one that begins after the replacement is never let in.
        let isReplaced = false;
        const late: boolean[] = [];
        const coming = Array.from({ length: 4 }, async () => {
          for (let count = 0; count < 20 || !isReplaced; count++) {
            const isLate = isReplaced;
            using client = await KeyedClient.open(port, old);
            const isIn = await client.finish();
            if (isLate) late.push(isIn);
          }
        });
        // Where the test fails before it awaits them, the server goes first.
        const come = Promise.all(coming);
        come.catch(() => {});
        const next = await writeKey(program, "next.key");
        const fresh = readKey(next);
        await Deno.rename(next, program.path(name));
        isReplaced = true;
        const outcomes = await Promise.all([...half, ...idle].map((client) => client.finish()));
        assertEquals(outcomes.filter((isIn) => isIn), []);
        const added = await fixture.clients(fresh, async (client) => assert(await client.finish()));
        await Promise.all(open.map((client) => client.ended()));
        await come;
        assertEquals(late.filter((isIn) => isIn), []);
        for (const client of [...open, ...half, ...idle]) client[Symbol.dispose]();
        // The sessions of the new key are open, and no other.
        await fixture.untilOpen(CLIENTS);
        for (const client of added) client[Symbol.dispose]();
        await fixture.untilOpen(0);
      }
    },
  );
}

Deno.test(
  "two planes let no one in by a key that has expired, at whatever step (needs root)",
  options,
  async () => {
    await using fixture = await Fixture.open();
    const { program, server, port } = fixture;
    const key = readKey(program.path("bob.key"));
    const open = await fixture.clients(key, async (client) => assert(await client.finish()));
    const half = await fixture.clients(key, async (client) => assert(await client.untilHello()));
    const idle = await fixture.clients(key, () => Promise.resolve());
    const end = Date.now() + 2_000;
    const notAfter = `, not_after: ${new Date(end).toISOString()}`;
    await program.write("config.yaml", configOf(program, port, notAfter));
    const late: boolean[] = [];
    const coming = Array.from({ length: 4 }, async () => {
      while (late.length < 20) {
        const isLate = Date.now() >= end;
        using client = await KeyedClient.open(port, key);
        const isIn = await client.finish();
        if (isLate) late.push(isIn);
      }
    });
    await Promise.all(open.map((client) => client.ended()));
    assert(Date.now() >= end, "a session has ended too early");
    const outcomes = await Promise.all([...half, ...idle].map((client) => client.finish()));
    await Promise.all(coming);
    assertEquals([...outcomes, ...late].filter((isIn) => isIn), []);
    await fixture.untilOpen(0);
    const reasons = new Set(server.of("revoke").map(({ reason }) => reason));
    assertEquals([...reasons], ["expired-key"]);
    for (const client of [...open, ...half, ...idle]) client[Symbol.dispose]();
  },
);

/** Lets alice in, until it is undone. */
async function commitUnconfirmed({ root }: Fixture, seconds: number): Promise<void> {
  const { base } = (await root.call("config.entries")).result;
  const changes = [{ user: "alice", set: { local_ipc_access: true } }];
  const { error } = await root.call("config.commit", { base, changes, confirm_seconds: seconds });
  assertEquals(error, undefined);
}

Deno.test(
  "two planes let no one in by a commit that is rolled back, stopped or killed (needs root)",
  options,
  async () => {
    await using fixture = await Fixture.open();
    const before = fixture.text;
    const endings = {
      timer: () => fixture.server.event("change", ({ reason }) => reason === "rolled-back"),
      stop: async () => assertEquals(await fixture.server.stop("SIGTERM"), 0),
      kill: () => fixture.server.stop("SIGKILL"),
    } as const;
    for (const [ending, end] of Object.entries(endings)) {
      assertEquals((await fixture.alices()).length, 0, ending);
      await commitUnconfirmed(fixture, ending === "timer" ? 2 : 600);
      const open = await fixture.alices();
      assertEquals(open.length, CLIENTS, ending);
      let isOver = false;
      const late: number[] = [];
      const coming = (async () => {
        while (ending === "timer" && late.length < 3) {
          const isLate = isOver;
          const clients = await fixture.alices();
          if (isLate) late.push(clients.length);
          for (const client of clients) client[Symbol.dispose]();
        }
      })();
      await end();
      isOver = true;
      await coming;
      assertEquals(late.filter((count) => count > 0), [], ending);
      for (const client of open) while (await client.line() !== null);
      if (ending !== "timer") await fixture.restart();
      assertEquals([fixture.text, (await fixture.alices()).length], [before, 0], ending);
      await fixture.untilOpen(0);
      for (const client of open) client[Symbol.dispose]();
    }
    const left = [...Deno.readDirSync(fixture.program.directory)].map(({ name }) => name);
    assertEquals(left.filter((name) => /\.new|unconfirmed|yaml\.lock/.test(name)), []);
  },
);
